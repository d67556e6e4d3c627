//! Whether our ears can be trusted: they are held against sound made by sox, not by us.

use std::process::Command;

use crate::support::peers::peer;
use crate::support::sound::Sound;

fn sox(arguments: &str) -> Option<Sound> {
    let sox = peer("sox")?;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sound.wav");
    let made = Command::new(sox)
        .args(["-D", "-n", "-r", "16000", "-b", "16"])
        .arg(&file)
        .args(arguments.split(' '))
        .status();
    assert!(made.unwrap().success());
    Some(Sound::read(&file))
}

#[test]
fn a_tone_by_sox_is_found_at_its_level() {
    let Some(sound) = sox("synth 2 sine 440 gain -12") else {
        return;
    };
    assert_eq!((sound.rate, sound.samples.len()), (16_000, 32_000));
    assert!(
        (sound.tone_dbfs(440.0) + 12.0).abs() < 0.5,
        "{}",
        sound.tone_dbfs(440.0)
    );
    assert!(sound.has_tone(440.0));
}

#[test]
fn a_tone_that_is_not_there_is_not_found() {
    let Some(sound) = sox("synth 2 sine 440 gain -12") else {
        return;
    };
    for other in [300.0, 600.0, 880.0, 1000.0, 2000.0] {
        assert!(
            !sound.has_tone(other),
            "{other} Hz at {} dB",
            sound.tone_dbfs(other)
        );
    }
}

#[test]
fn two_tones_at_once_are_both_found() {
    let Some(sound) = sox("synth 2 sine 440 synth 2 sine mix 1000 gain -12") else {
        return;
    };
    assert!(sound.has_tone(440.0) && sound.has_tone(1000.0) && !sound.has_tone(700.0));
}

#[test]
fn noise_is_no_tone() {
    let Some(sound) = sox("synth 2 whitenoise gain -30") else {
        return;
    };
    assert!(!sound.has_tone(440.0), "{}", sound.tone_dbfs(440.0));
}

#[test]
fn a_tone_that_stops_is_heard_for_its_share() {
    let Some(sound) = sox("synth 1 sine 440 gain -12 pad 0 3") else {
        return;
    };
    let share = sound.share_with_tone(440.0, -20.0);
    assert!((share - 0.25).abs() < 0.04, "{share}");
}

#[test]
fn a_tone_in_pieces_is_no_other_tone() {
    // As a machine that stands still every now and then leaves it: 70 ms of sound, 60 ms of silence.
    let Some(sound) = sox("synth 0.07 sine 1000 gain -6 pad 0 0.06 repeat 30") else {
        return;
    };
    assert!(sound.has_tone(1000.0));
    for other in [440.0, 700.0, 1270.0, 1900.0] {
        assert!(!sound.has_tone(other), "{other} Hz");
    }
}

#[test]
fn what_we_write_sox_plays() {
    let Some(soxi) = peer("soxi") else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ours.wav");
    Sound::tone(48_000, 440.0, 1.5, -12.0).write_channels(&file, 2);
    let said = Command::new(soxi).arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    for expected in [
        "Channels       : 2",
        "Sample Rate    : 48000",
        "00:00:01.50",
        "16-bit Signed Integer PCM",
    ] {
        assert!(said.contains(expected), "{expected:?} is not in {said}");
    }
}
