import MeetingSessionStatusCode from "amazon-chime-sdk-js/build/meetingsession/MeetingSessionStatusCode";
import { describe, expect, it } from "vitest";
import { endingOf } from "../src/ending";


const codes = Object.values(MeetingSessionStatusCode).filter((code) => typeof code === "number");

describe("the end of a meeting", () => {
  it.each([
    [MeetingSessionStatusCode.Left, "left"],
    [MeetingSessionStatusCode.MeetingEnded, "ended"],
    [MeetingSessionStatusCode.AudioAttendeeRemoved, "removed"],
    [MeetingSessionStatusCode.AudioCallAtCapacity, "full"],
    [MeetingSessionStatusCode.SignalingBadRequest, "refused"],
    [MeetingSessionStatusCode.SignalingChannelClosedUnexpectedly, "lost"],
    [MeetingSessionStatusCode.IncompatibleSDP, "failed"],
  ])("with status %i is told as %s", (code, reason) => expect(endingOf(code).reason).toBe(reason));

  it("has words for every status that the SDK knows", () => {
    expect(codes.length).toBeGreaterThan(20);
    for (const code of codes) expect(endingOf(code).text).not.toMatch(/undefined/);
  });

  it("offers no way back into a meeting that is over", () => {
    expect(endingOf(MeetingSessionStatusCode.MeetingEnded).again).toBe(false);
  });
});
