import { describe, expect, it } from "vitest";
import { meetingInPath, spacedPin, tidyMeetingId } from "../src/address";

describe("the meeting id in the page's address", () => {
  it("is read from /meet/<id>", () => expect(meetingInPath("/meet/0123456789")).toBe("0123456789"));
  it("may be followed by a slash", () => expect(meetingInPath("/meet/0123456789/")).toBe("0123456789"));
  it("is empty on the front page", () => expect(meetingInPath("/")).toBe(""));
  it("is empty for a deeper path", () => expect(meetingInPath("/meet/1/2")).toBe(""));
  it("survives a broken escape", () => expect(meetingInPath("/meet/%E0%A4%A")).toBe(""));
});

describe("a meeting id as typed", () => {
  it("loses what people put between digits", () => expect(tidyMeetingId(" 012 345-6789 ")).toBe("0123456789"));
  it("keeps an id that is not digits", () => expect(tidyMeetingId("3f2a-77b1")).toBe("3f2a-77b1"));
});

describe("a meeting id as shown", () => {
  it("is grouped when it has ten digits", () => expect(spacedPin("0123456789")).toBe("012 345 6789"));
  it("is left alone otherwise", () => expect(spacedPin("012345678")).toBe("012345678"));
});
