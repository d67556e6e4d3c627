// Who is in the meeting, and how each is doing: a value that changes by what the SDK tells.

/** One attendee as the views show them. */
export interface Person {
  attendeeId: string;
  name: string;
  /** A shared screen is an attendee of its own in the protocol, `<attendee>#content`. */
  content: boolean;
  self: boolean;
  muted: boolean;
  /** 0 (silent) to 1, or null before the first measurement. */
  volume: number | null;
  /** 0, 0.5 or 1, or null before the first measurement. */
  signal: number | null;
  speaking: boolean;
  activeSpeaker: boolean;
}

/** What the SDK's volume indicator says; null fields did not change. */
export interface Indication {
  volume: number | null;
  muted: boolean | null;
  signal: number | null;
}

/** Louder than this counts as speaking; quieter than the second no longer. The gap keeps the mark from flickering. */
const SPEAKS = 0.15;
const SILENT = 0.05;

/** The people of a meeting in order of arrival. */
export class Roster {
  private readonly people = new Map<string, Person>();

  constructor(private readonly selfId: string) {}

  /** Adds somebody; told again for the same id it only renews the name. Returns whether they are new. */
  arrive(attendeeId: string, externalUserId: string | undefined): boolean {
    const known = this.people.get(attendeeId);
    const name = displayName(externalUserId ?? known?.name ?? attendeeId);
    if (known) {
      known.name = name;
      return false;
    }
    this.people.set(attendeeId, {
      attendeeId,
      name,
      content: attendeeId.endsWith("#content"),
      self: attendeeId === this.selfId,
      muted: false,
      volume: null,
      signal: null,
      speaking: false,
      activeSpeaker: false,
    });
    return true;
  }

  /** Takes somebody out; returns who it was. */
  depart(attendeeId: string): Person | undefined {
    const person = this.people.get(attendeeId);
    this.people.delete(attendeeId);
    return person;
  }

  /** Applies a measurement; unknown ids are ignored (it may outlive the attendee). */
  indicate(attendeeId: string, indication: Indication): void {
    const person = this.people.get(attendeeId);
    if (!person) return;
    if (indication.muted !== null) person.muted = indication.muted;
    if (indication.volume !== null) person.volume = indication.volume;
    if (indication.signal !== null) person.signal = indication.signal;
    const loudness = person.muted ? 0 : (person.volume ?? 0);
    person.speaking = loudness > (person.speaking ? SILENT : SPEAKS);
  }

  /** Marks the active speakers, and nobody else. */
  markActive(attendeeIds: readonly string[]): void {
    for (const person of this.people.values()) person.activeSpeaker = attendeeIds.includes(person.attendeeId);
  }

  find(attendeeId: string): Person | undefined {
    return this.people.get(attendeeId);
  }

  /** Everybody, self first, then in order of arrival; shared screens are not people. */
  list(): Person[] {
    const people = [...this.people.values()].filter((person) => !person.content);
    return people.sort((a, b) => Number(b.self) - Number(a.self));
  }

  clear(): void {
    this.people.clear();
  }
}

/** The words to show for an ExternalUserId: applications put an id of their own before a `#`, phones a SIP address. */
export function displayName(externalUserId: string): string {
  const afterMark = externalUserId.slice(externalUserId.lastIndexOf("#") + 1).trim();
  const name = afterMark || externalUserId;
  return name.replace(/^sips?:/i, "");
}

/** One or two letters for a tile without video. */
export function initials(name: string): string {
  const words = name.split(/[\s._@-]+/).filter(Boolean);
  const first = words[0] ?? "?";
  const last = words.length > 1 ? (words[words.length - 1] ?? "") : "";
  return ([...first].slice(0, 1).join("") + [...last].slice(0, 1).join("")).toUpperCase();
}
