// Which meeting the page's own address names, and how a meeting id is written.

/** The meeting id in a path such as `/meet/0123456789`; empty where there is none. */
export function meetingInPath(path: string): string {
  const match = /^\/meet\/([^/]+)\/?$/.exec(path);
  if (!match?.[1]) return "";
  try {
    return tidyMeetingId(decodeURIComponent(match[1]));
  } catch {
    return ""; // a broken escape names no meeting
  }
}

/** A meeting id as people type it (`012 345-6789`), without what they put between the digits. */
export function tidyMeetingId(text: string): string {
  const trimmed = text.trim();
  const digits = trimmed.replace(/[\s.\-()]/g, "");
  return /^\d+$/.test(digits) ? digits : trimmed;
}

/** Ten digits in groups, as they are read aloud: `012 345 6789`. */
export function spacedPin(pin: string): string {
  return /^\d{10}$/.test(pin) ? `${pin.slice(0, 3)} ${pin.slice(3, 6)} ${pin.slice(6)}` : pin;
}
