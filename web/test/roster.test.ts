import { describe, expect, it } from "vitest";
import { displayName, initials, Roster } from "../src/roster";

const QUIET = { volume: null, muted: null, signal: null };

function withAda(): Roster {
  const roster = new Roster("me");
  roster.arrive("ada", "Ada");
  return roster;
}

describe("the roster", () => {
  it("lists oneself first, then others by arrival", () => {
    const roster = withAda();
    roster.arrive("bob", "Bob");
    roster.arrive("me", "Me");
    expect(roster.list().map((person) => person.name)).toEqual(["Me", "Ada", "Bob"]);
  });

  it("counts a shared screen as nobody", () => {
    const roster = withAda();
    roster.arrive("ada#content", "Ada");
    expect(roster.list()).toHaveLength(1);
  });

  it("keeps people who are told again after a reconnection", () => {
    const roster = withAda();
    roster.indicate("ada", { ...QUIET, muted: true });
    expect(roster.arrive("ada", "Ada")).toBe(false);
    expect(roster.find("ada")?.muted).toBe(true);
  });

  it("ignores a measurement that outlives the attendee", () => {
    const roster = withAda();
    roster.depart("ada");
    roster.indicate("ada", { ...QUIET, volume: 1 });
    expect(roster.list()).toEqual([]);
  });

  it("marks somebody as speaking until they are clearly quieter", () => {
    const roster = withAda();
    const heard = (volume: number): boolean => {
      roster.indicate("ada", { ...QUIET, volume });
      return roster.find("ada")?.speaking ?? false;
    };
    expect([0.1, 0.2, 0.1, 0.01, 0.1].map(heard)).toEqual([false, true, true, false, false]);
  });

  it("never marks a muted person as speaking", () => {
    const roster = withAda();
    roster.indicate("ada", { volume: 0.9, muted: true, signal: 1 });
    expect(roster.find("ada")?.speaking).toBe(false);
  });

  it("has no active speaker but those told last", () => {
    const roster = withAda();
    roster.arrive("bob", "Bob");
    roster.markActive(["ada"]);
    roster.markActive(["bob"]);
    expect(roster.list().map((person) => person.activeSpeaker)).toEqual([false, true]);
  });
});

describe("names", () => {
  it("are what follows the application's own id", () => expect(displayName("3f2a#Ada Lovelace")).toBe("Ada Lovelace"));
  it("are the address of a phone without its scheme", () => expect(displayName("sip:room7@pbx.example.com")).toBe("room7@pbx.example.com"));
  it("are never empty", () => expect(displayName("3f2a#")).toBe("3f2a#"));
  it("have one or two initials", () => expect(["Ada Lovelace", "bob", ""].map(initials)).toEqual(["AL", "B", "?"]));
});
