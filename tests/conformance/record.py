#!/usr/bin/env python3
"""Makes every call that the sandbox answers, with boto3, and writes each raw reply into a folder.

    record.py ENDPOINT FOLDER

Needs boto3 from PyPI and a fresh sandbox with simulated machines at ENDPOINT. `check.py FOLDER` judges the replies.
"""

import json
import pathlib
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
FOLDER.mkdir(parents=True, exist_ok=True)
INDEX = []


def keep(response_dict, operation_name=None, event_name="", **_):
    service, operation = event_name.split(".")[1:3]
    name = f"{len(INDEX):03}.{service}.{operation}.body"
    (FOLDER / name).write_bytes(response_dict["body"])
    headers = {key.lower(): value for key, value in response_dict["headers"].items()}
    INDEX.append({"service": service, "operation": operation, "status": response_dict["status_code"],
                  "headers": headers, "file": name})


def client(service):
    made = boto3.client(service, endpoint_url=ENDPOINT, region_name="eu-central-1", aws_access_key_id="id",
                        aws_secret_access_key="secret",
                        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False))
    if service == "s3":
        return made  # its bodies are streams, and its model has nothing that the sandbox could get wrong
    # The event's name carries the service's id; the model's own name is what `check.py` loads.
    made.meta.events.register(
        "response-received",
        lambda **given: keep(**{**given, "event_name": f"x.{service}.{given['event_name'].split('.')[2]}"}))
    return made


ec2, ssm, eb, sts, s3 = (client(name) for name in ("ec2", "ssm", "elasticbeanstalk", "sts", "s3"))


def refused(call, code, **arguments):
    """Makes a call that has to be refused with this code."""
    try:
        call(**arguments)
    except ClientError as error:
        found = error.response["Error"]["Code"]
        if found != code:
            sys.exit(f"{error.operation_name}: refused with {found} instead of {code}: {error}")
        return
    sys.exit(f"{call.__name__} was not refused with {code}")


def until(call, wanted, limit=100):
    """Asks until the answer is as wanted, and returns it."""
    for _ in range(limit):
        answer = call()
        if wanted(answer):
            return answer
    sys.exit(f"never came to be: {answer}")


def option(namespace, name, value):
    return {"Namespace": namespace, "OptionName": name, "Value": value}


def identity():
    sts.get_caller_identity()
    refused(sts.get_session_token, "InvalidAction")


def machines():
    arn = eb.list_platform_versions(MaxRecords=1)["PlatformSummaryList"][0]["PlatformArn"]
    platform = eb.describe_platform_version(PlatformArn=arn)["PlatformDescription"]
    image = platform["CustomAmiList"][0]["ImageId"]
    refused(eb.describe_platform_version, "InvalidParameterValue", PlatformArn="arn:none")
    ec2.describe_subnets()
    refused(ec2.describe_subnets, "InvalidSubnetID.NotFound", SubnetIds=["subnet-1"])
    ec2.describe_security_groups()
    refused(ec2.describe_security_groups, "InvalidGroup.NotFound", GroupIds=["sg-1"])
    ec2.describe_route_tables(Filters=[{"Name": "association.main", "Values": ["true"]}])
    refused(ec2.describe_route_tables, "InvalidRouteTableID.NotFound", RouteTableIds=["rtb-1"])
    ec2.describe_vpc_endpoints()
    refused(ec2.describe_vpc_endpoints, "InvalidVpcEndpointId.NotFound", VpcEndpointIds=["vpce-1"])
    ec2.describe_instance_types(InstanceTypes=["t3.small", "t4g.small"])
    refused(ec2.describe_instance_types, "InvalidInstanceType", InstanceTypes=["t9.giant"])
    ec2.describe_instance_type_offerings(
        LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": ["t3.small"]}],
    )
    refused(ec2.describe_instance_type_offerings, "InvalidParameterValue", LocationType="planet")
    launch = {
        "ImageId": image, "InstanceType": "t3.small", "MinCount": 1, "MaxCount": 1, "ClientToken": "token-1",
        "IamInstanceProfile": {"Name": "seed"}, "KeyName": "key", "UserData": "#cloud-config\n",
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 10, "VolumeType": "gp3"}}],
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "role", "Value": "seed <&>"}]}],
    }
    instance = ec2.run_instances(**launch)["Instances"][0]["InstanceId"]
    refused(ec2.run_instances, "IdempotentParameterMismatch", **{**launch, "InstanceType": "t3.large"})
    refused(ec2.run_instances, "DryRunOperation", **{**launch, "ClientToken": "token-2"}, DryRun=True)
    ec2.describe_instances(Filters=[{"Name": "tag:role", "Values": ["seed*"]}])
    refused(ec2.describe_instances, "InvalidInstanceID.NotFound", InstanceIds=["i-0123456789abcdef0"])
    until(lambda: ssm.describe_instance_information(),
          lambda answer: any(one["PingStatus"] == "Online" for one in answer["InstanceInformationList"]))
    refused(ssm.describe_instance_information, "InvalidFilterKey", Filters=[{"Key": "Colour", "Values": ["x"]}])
    ec2.describe_instance_status(IncludeAllInstances=True)
    refused(ec2.describe_instance_status, "InvalidParameterValue", Filters=[{"Name": "colour", "Values": ["x"]}])
    ec2.describe_volumes()
    refused(ec2.describe_volumes, "InvalidVolume.NotFound", VolumeIds=["vol-1"])
    ec2.get_console_output(InstanceId=instance)
    refused(ec2.get_console_output, "InvalidInstanceID.NotFound", InstanceId="i-0123456789abcdef0")
    commands(instance)
    images(instance)
    ec2.reboot_instances(InstanceIds=[instance])
    ec2.stop_instances(InstanceIds=[instance])
    refused(ec2.reboot_instances, "IncorrectInstanceState", InstanceIds=[instance])
    refused(ec2.start_instances, "IncorrectInstanceState", InstanceIds=[instance])
    until(lambda: ec2.describe_instances(InstanceIds=[instance]),
          lambda answer: answer["Reservations"][0]["Instances"][0]["State"]["Name"] == "stopped")
    ec2.start_instances(InstanceIds=[instance])
    refused(ec2.stop_instances, "IncorrectInstanceState", InstanceIds=[instance])
    ec2.terminate_instances(InstanceIds=[instance])
    refused(ec2.terminate_instances, "InvalidInstanceID.Malformed", InstanceIds=["seed"])
    refused(ec2.run_instances, "IdempotentInstanceTerminated", **launch)
    refused(ec2.describe_vpcs, "InvalidAction")
    return arn, image


def images(instance):
    tags = [{"ResourceType": kind, "Tags": [{"Key": "role", "Value": "raw"}]} for kind in ("image", "snapshot")]
    image = ec2.create_image(InstanceId=instance, Name="raw-1", NoReboot=True, TagSpecifications=tags)["ImageId"]
    refused(ec2.create_image, "InvalidAMIName.Duplicate", InstanceId=instance, Name="raw-1")
    refused(ec2.create_image, "InvalidAMIName.Malformed", InstanceId=instance, Name="raw:1")
    ec2.describe_snapshots(OwnerIds=["self"])
    refused(ec2.describe_snapshots, "InvalidSnapshot.NotFound", SnapshotIds=["snap-1"])
    answer = until(lambda: ec2.describe_images(ImageIds=[image]),
                   lambda found: found["Images"][0]["State"] == "available")
    refused(ec2.describe_images, "InvalidAMIID.NotFound", ImageIds=["ami-0123456789abcdef0"])
    snapshot = answer["Images"][0]["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    refused(ec2.delete_snapshot, "InvalidSnapshot.InUse", SnapshotId=snapshot)
    ec2.create_tags(Resources=[image, snapshot], Tags=[{"Key": "proved", "Value": "boot"}])
    refused(ec2.create_tags, "InvalidParameterValue", Resources=[image], Tags=[{"Key": "aws:x", "Value": "y"}])
    ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [image]}])
    refused(ec2.describe_tags, "InvalidParameterValue", Filters=[{"Name": "colour", "Values": ["x"]}])
    ec2.delete_tags(Resources=[image], Tags=[{"Key": "proved"}])
    refused(ec2.delete_tags, "InvalidAMIID.NotFound", Resources=["ami-1"], Tags=[{"Key": "a"}])
    ec2.disable_image(ImageId=image)
    refused(ec2.disable_image, "InvalidAMIID.Unavailable", ImageId=image)
    ec2.describe_images(ImageIds=[image], IncludeDisabled=True)
    ec2.deregister_image(ImageId=image)
    refused(ec2.deregister_image, "InvalidAMIID.Unavailable", ImageId=image)
    ec2.delete_snapshot(SnapshotId=snapshot)
    second = ec2.create_image(InstanceId=instance, Name="raw-2", NoReboot=True)["ImageId"]
    ec2.deregister_image(ImageId=second, DeleteAssociatedSnapshots=True)


def commands(instance):
    send = {"DocumentName": "AWS-RunShellScript", "InstanceIds": [instance], "Comment": "r1/probe/1",
            "Parameters": {"commands": ["true"], "executionTimeout": ["60"]}, "TimeoutSeconds": 60}
    command = ssm.send_command(**send)["Command"]["CommandId"]
    refused(ssm.send_command, "InvalidInstanceId", **{**send, "InstanceIds": ["i-0123456789abcdef0"]})
    refused(ssm.send_command, "InvalidParameters", **{**send, "Parameters": {"commands": ["true"], "colour": ["x"]}})
    refused(ssm.send_command, "InvalidDocument", **{**send, "DocumentName": "Nothing"})
    until(lambda: ssm.get_command_invocation(CommandId=command, InstanceId=instance),
          lambda answer: answer["Status"] == "Success")
    refused(ssm.get_command_invocation, "InvocationDoesNotExist", CommandId="0" * 36, InstanceId=instance)
    ssm.list_commands(CommandId=command)
    refused(ssm.list_commands, "InvalidCommandId", CommandId="0" * 36)
    ssm.list_command_invocations(CommandId=command, Details=True)
    refused(ssm.list_command_invocations, "InvalidNextToken", NextToken="nonsense")
    ssm.cancel_command(CommandId=ssm.send_command(**send)["Command"]["CommandId"])
    refused(ssm.cancel_command, "InvalidCommandId", CommandId="0" * 36)
    refused(ssm.list_documents, "UnknownOperationException")


def parameters():
    for name, kind in (("/a/1", "String"), ("/a/2", "SecureString"), ("/a/3", "StringList")):
        ssm.put_parameter(Name=name, Value="x,y", Type=kind, Description="first", Tags=[{"Key": "k", "Value": "v"}])
    refused(ssm.put_parameter, "ParameterAlreadyExists", Name="/a/1", Value="x", Type="String")
    refused(ssm.put_parameter, "HierarchyTypeMismatchException", Name="/a/1", Value="x", Type="StringList",
            Overwrite=True)
    refused(ssm.put_parameter, "ValidationException", Name="/a/9", Value="{{x}}", Type="String")
    ssm.put_parameter(Name="/a/1", Value="z", Overwrite=True)
    ssm.get_parameter(Name="/a/2", WithDecryption=True)
    ssm.get_parameter(Name="/a/1:1")
    refused(ssm.get_parameter, "ParameterNotFound", Name="/b")
    refused(ssm.get_parameter, "ParameterVersionNotFound", Name="/a/1:7")
    ssm.get_parameters(Names=["/a/1", "/b"])
    refused(ssm.get_parameters, "ValidationException", Names=[])
    ssm.get_parameters_by_path(Path="/a", Recursive=True, MaxResults=2)
    refused(ssm.get_parameters_by_path, "InvalidNextToken", Path="/a", NextToken="nonsense")
    ssm.get_parameter_history(Name="/a/1")
    refused(ssm.get_parameter_history, "ParameterNotFound", Name="/b")
    ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId="/a/1", Tags=[{"Key": "l", "Value": "w"}])
    refused(ssm.add_tags_to_resource, "InvalidResourceId", ResourceType="Parameter", ResourceId="/b",
            Tags=[{"Key": "l", "Value": "w"}])
    ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/a/1")
    refused(ssm.list_tags_for_resource, "InvalidResourceId", ResourceType="Parameter", ResourceId="/b")
    ssm.delete_parameter(Name="/a/1")
    refused(ssm.delete_parameter, "ParameterNotFound", Name="/a/1")
    ssm.delete_parameters(Names=["/a/2", "/b"])
    refused(ssm.delete_parameters, "SerializationException", Names=[5])


def environments(arn, image):
    eb.create_application(ApplicationName="shop", Description="a shop")
    refused(eb.create_application, "InvalidParameterValue", ApplicationName="shop")
    eb.describe_applications()
    bucket = eb.create_storage_location()["S3Bucket"]
    s3.put_object(Bucket=bucket, Key="shop/v1.zip", Body=b"bundle")
    if s3.get_object(Bucket=bucket, Key="shop/v1.zip")["Body"].read() != b"bundle":
        sys.exit("the storage gave back something else")
    refused(s3.get_object, "NoSuchKey", Bucket=bucket, Key="nothing")
    bundle = {"S3Bucket": bucket, "S3Key": "shop/v1.zip"}
    for label in ("v1", "v2"):
        eb.create_application_version(ApplicationName="shop", VersionLabel=label, SourceBundle=bundle)
    refused(eb.create_application_version, "InvalidParameterValue", ApplicationName="shop", VersionLabel="v1")
    eb.describe_application_versions(ApplicationName="shop", MaxRecords=1)
    refused(eb.describe_application_versions, "InvalidParameterValue", NextToken="nonsense")
    eb.check_dns_availability(CNAMEPrefix="shop-prod")
    refused(eb.check_dns_availability, "MissingParameter")
    rolling = "aws:autoscaling:updatepolicy:rollingupdate"
    options = [
        option("aws:autoscaling:asg", "MinSize", "2"), option(rolling, "RollingUpdateEnabled", "true"),
        option(rolling, "RollingUpdateType", "Health"),
        option("aws:elasticbeanstalk:healthreporting:system", "SystemType", "enhanced"),
    ]
    eb.validate_configuration_settings(ApplicationName="shop", OptionSettings=options + [
        option("aws:autoscaling:asg", "MinSize", "many")])
    refused(eb.validate_configuration_settings, "InvalidParameterValue", ApplicationName="none", OptionSettings=options)
    name = {"EnvironmentName": "shop-prod"}
    create = {**name, "ApplicationName": "shop", "VersionLabel": "v1", "PlatformArn": arn, "OptionSettings": options}
    eb.create_environment(**create)
    refused(eb.create_environment, "InvalidParameterValue", **create)
    refused(eb.update_environment, "InvalidParameterValue", **name)
    ready(name)
    refused(eb.describe_environments, "InvalidParameterValue", NextToken="nonsense")
    eb.create_environment(**{**create, "EnvironmentName": "shop-worker", "OptionSettings": []},
                          Tier={"Name": "Worker", "Type": "SQS/HTTP"})
    ready({"EnvironmentName": "shop-worker"})
    eb.describe_environment_resources(EnvironmentName="shop-worker")
    refused(eb.describe_environment_resources, "InvalidParameterValue", EnvironmentName="none")
    refused(eb.describe_environment_health, "InvalidRequestException", EnvironmentName="shop-worker")
    refused(eb.describe_instances_health, "InvalidRequestException", EnvironmentName="shop-worker")
    watch(name)
    eb.update_environment(**name, VersionLabel="v2")
    ready(name)
    launch = "aws:autoscaling:launchconfiguration"
    refused(eb.update_environment, "InvalidParameterCombination", **name, VersionLabel="v1",
            OptionSettings=[option(launch, "ImageId", image)])
    eb.update_environment(**name, OptionSettings=[option(launch, "InstanceType", "t3.small")])
    watch(name)
    eb.abort_environment_update(**name)
    refused(eb.abort_environment_update, "InvalidParameterValue", **name)
    ready(name)
    eb.delete_environment_configuration(ApplicationName="shop", **name)
    refused(eb.delete_environment_configuration, "InvalidParameterValue", ApplicationName="none", **name)
    eb.describe_events(ApplicationName="shop", MaxRecords=5)
    refused(eb.describe_events, "InvalidParameterValue", Severity="LOUD")
    eb.terminate_environment(**name)
    refused(eb.terminate_environment, "InvalidParameterValue", EnvironmentName="none")
    refused(eb.rebuild_environment, "InvalidAction", **name)


def watch(name):
    eb.describe_environment_health(**name, AttributeNames=["All"])
    eb.describe_instances_health(**name, AttributeNames=["All"])
    eb.describe_environment_resources(**name)
    eb.describe_configuration_settings(ApplicationName="shop", **name)
    refused(eb.describe_configuration_settings, "InvalidParameterValue", ApplicationName="none", **name)
    eb.describe_environment_managed_actions(**name)
    refused(eb.describe_environment_managed_actions, "InvalidParameterValue", EnvironmentName="none")
    ec2.describe_launch_template_versions(Versions=["$Latest", "$Default"])
    refused(ec2.describe_launch_template_versions, "MissingParameter")


def ready(name):
    until(lambda: eb.describe_environments(EnvironmentNames=[name["EnvironmentName"]]),
          lambda answer: answer["Environments"][0]["Status"] == "Ready")


identity()
environments(*machines())
parameters()
(FOLDER / "index.json").write_text(json.dumps(INDEX, indent=1))
print(f"{len(INDEX)} replies of {len({(one['service'], one['operation']) for one in INDEX})} operations recorded")
