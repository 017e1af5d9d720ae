#!/bin/sh
echo made
