//! The terminal while a run works: a bar for each stage, above them the live output. The only file that knows indicatif.
//!
//! All rows are one indicatif bar of several lines, so that a redraw is one write of a whole picture. It is drawn at
//! most ten times a second, however fast a recipe prints, by whoever comes first: an event or the display's clock.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use jiff::{SignedDuration, Timestamp};

use super::rows::{Page, rows, scrolled};
use super::stages::Stages;
use crate::event::Event;

/// At most ten pictures a second: smooth enough for a person, and slow enough for a terminal behind ssh.
const INTERVAL: SignedDuration = SignedDuration::from_millis(100);

/// Draws stages and live output on a terminal.
pub(crate) struct Bars {
    bar: ProgressBar,
    /// The rows as they are to be drawn next; indicatif reads them.
    picture: Arc<Mutex<String>>,
    /// The lines that have come since the last picture.
    above: Vec<String>,
    drawn: Option<Timestamp>,
}

impl fmt::Debug for Bars {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Bars")
    }
}

impl Bars {
    /// Bars on standard error.
    pub(crate) fn on_stderr() -> Self {
        Self::on(ProgressDrawTarget::stderr())
    }

    fn on(target: ProgressDrawTarget) -> Self {
        let picture = Arc::new(Mutex::new(String::new()));
        let drawn_from = Arc::clone(&picture);
        let write = move |_: &ProgressState, output: &mut dyn fmt::Write| {
            let rows = drawn_from.lock().unwrap_or_else(PoisonError::into_inner);
            // A picture that cannot be written is missing until the next one; there is nobody to tell.
            let _ = output.write_str(&rows);
        };
        let style = ProgressStyle::with_template("{rows}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner())
            .with_key("rows", write);
        Self {
            bar: ProgressBar::with_draw_target(None, target).with_style(style),
            picture,
            above: Vec::new(),
            drawn: None,
        }
    }

    /// Takes an event that the stages know already.
    pub(crate) fn take(&mut self, now: Timestamp, event: &Event, stages: &Stages, page: Page) {
        self.above.extend(scrolled(event, page));
        self.refresh(now, stages, page);
    }

    /// Draws, unless that was done a moment ago.
    pub(crate) fn refresh(&mut self, now: Timestamp, stages: &Stages, page: Page) {
        let is_too_soon = self.drawn.is_some_and(|drawn| {
            let since = now.duration_since(drawn);
            !since.is_negative() && since < INTERVAL
        });
        if !is_too_soon {
            self.draw(now, stages, page);
        }
    }

    fn draw(&mut self, now: Timestamp, stages: &Stages, page: Page) {
        self.drawn = Some(now);
        let rows = rows(stages, now, page).join("\n");
        let is_new = {
            let mut picture = self.picture.lock().unwrap_or_else(PoisonError::into_inner);
            let is_new = *picture != rows;
            *picture = rows;
            is_new
        };
        if !self.above.is_empty() {
            self.bar.println(self.above.join("\n"));
            self.above.clear();
        } else if is_new {
            self.bar.tick();
        }
    }

    /// Shows the lines that are still to be shown and takes the bars away.
    pub(crate) fn finish(&mut self, now: Timestamp, stages: &Stages, page: Page) {
        self.draw(now, stages, page);
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use indicatif::InMemoryTerm;

    use super::*;
    use crate::display::story;

    /// Plays a run up to the given event on a terminal and returns what stands there then.
    fn screen(rows: u16, columns: u16, events: &[(Timestamp, Event)]) -> String {
        play(rows, columns, false, events).0.contents()
    }

    fn play(
        rows: u16,
        columns: u16,
        colour: bool,
        events: &[(Timestamp, Event)],
    ) -> (InMemoryTerm, Bars, Stages) {
        let terminal = InMemoryTerm::new(rows, columns);
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let mut bars = Bars::on(target);
        let mut stages = Stages::default();
        let page = Page {
            columns: usize::from(columns),
            rows: usize::from(rows),
            colour,
        };
        for (now, event) in events {
            stages.take(*now, event);
            bars.take(*now, event, &stages, page);
        }
        let (now, _) = events.last().unwrap();
        bars.draw(*now, &stages, page);
        (terminal, bars, stages)
    }

    #[test]
    fn while_recipes_are_applied() {
        insta::assert_snapshot!(screen(24, 80, &story::while_applying()), @"
        rebuild of shop on shop-prod, run 20261123-034512-7f3a
        warning: this is the tenth image since a stock image: it is time to rebase with
          `source: platform`
        mount-efs: mount the uploads
        install-wordpress: unpack WordPress
          Unpacking wordpress (6.1.6+dfsg1-0+deb12u1) over (6.1.6+dfsg1-0+deb12u0) ...
          設定ファイルを展開しています。設定ファイルを展開しています。設定ファイルを展…
           100 %
        ✓ snapshot   ━━━━━━━━━━          59s  2 steps, raw image ami-0aaaaaaaaaaaaaa01
        ✓ launch     ━━━━━━━━━━          21s  i-0bbbbbbbbbbbbbb02
        ▸ apply      ━━━╌╌╌╌╌╌╌  33 %    14s  4/12 install-wordpress: unpack WordPress
        · generalise
        · image
        · prove
        · swap
        · watch
        · retire
        ");
    }

    #[test]
    fn on_a_narrow_terminal_nothing_wraps() {
        insta::assert_snapshot!(screen(24, 40, &story::while_applying()), @"
        rebuild of shop on shop-prod, run
          20261123-034512-7f3a
        warning: this is the tenth image since a
          stock image: it is time to rebase with
          `source: platform`
        mount-efs: mount the uploads
        install-wordpress: unpack WordPress
          Unpacking wordpress (6.1.6+dfsg1-0+de…
          設定ファイルを展開しています。設定フ…
           100 %
        ✓ snapshot            59s  2 steps, raw…
        ✓ launch              21s  i-0bbbbbbbbb…
        ▸ apply       33 %    14s  4/12 install…
        · generalise
        · image
        · prove
        · swap
        · watch
        · retire
        ");
    }

    #[test]
    fn on_a_low_terminal_the_present_stage_is_seen() {
        insta::assert_snapshot!(screen(5, 60, &story::while_applying()), @"
           100 %
        ✓ launch              21s  i-0bbbbbbbbbbbbbb02
        ▸ apply       33 %    14s  4/12 install-wordpress: unpack W…
        · generalise
        · image
        ");
    }

    #[test]
    fn a_failed_step_and_its_output_stay_on_the_screen() {
        insta::assert_snapshot!(screen(24, 80, &story::failed_build()), @"
        build of shop on shop-prod, run 20261123-034512-7f3a
        install-wordpress: unpack WordPress
          tar: wordpress.tar: Cannot open: No such file or directory
          tar: Error is not recoverable: exiting now
        failed: install-wordpress: unpack WordPress
        failed: apply/recipes: step `unpack WordPress` of recipe install-wordpress
          failed with code 2
        ✓ snapshot ━━━━━━━━━━          58s  raw image ami-0aaaaaaaaaaaaaa01
        ✗ apply    ╌╌╌╌╌╌╌╌╌╌           4s  step `unpack WordPress` of recipe install-w…
        · image
        ");
    }

    #[test]
    fn without_colour_there_is_not_one_colour_sequence() {
        let is_coloured = |colour| {
            let (terminal, ..) = play(24, 80, colour, &story::while_applying());
            let moves = terminal.moves_since_last_check();
            moves.contains("\\u{1b}[3") || moves.contains("\\u{1b}[2m")
        };
        assert!(is_coloured(true));
        assert!(!is_coloured(false));
    }

    #[test]
    fn at_the_end_the_bars_go_and_the_output_stays() {
        let events = story::while_applying();
        let (terminal, mut bars, stages) = play(24, 80, false, &events);
        let page = Page {
            columns: 80,
            rows: 24,
            colour: false,
        };
        bars.finish(events.last().unwrap().0, &stages, page);
        insta::assert_snapshot!(terminal.contents(), @"
        rebuild of shop on shop-prod, run 20261123-034512-7f3a
        warning: this is the tenth image since a stock image: it is time to rebase with
          `source: platform`
        mount-efs: mount the uploads
        install-wordpress: unpack WordPress
          Unpacking wordpress (6.1.6+dfsg1-0+deb12u1) over (6.1.6+dfsg1-0+deb12u0) ...
          設定ファイルを展開しています。設定ファイルを展開しています。設定ファイルを展…
           100 %
        ");
    }

    #[test]
    fn fast_output_is_drawn_ten_times_a_second_and_no_line_is_lost() {
        let mut events = story::while_applying();
        let (last, _) = events.last().unwrap().clone();
        for line in 1..=1000 {
            let now = last + SignedDuration::from_millis(line);
            events.push((
                now,
                Event::Output {
                    line: format!("line {line} of many"),
                },
            ));
        }
        let (terminal, ..) = play(24, 80, false, &events);
        let moves = terminal.moves_since_last_check();
        for line in 1..=1000 {
            assert!(
                moves.contains(&format!("\"  line {line} of many\"")),
                "{line}"
            );
        }
        let pictures = moves.matches("Flush").count();
        assert!((10..30).contains(&pictures), "{pictures}");
    }
}
