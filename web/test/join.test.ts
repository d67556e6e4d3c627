import { describe, expect, it } from "vitest";
import { join, JoinRefused } from "../src/join";

const GIVEN = {
  JoinInfo: { Meeting: { Meeting: { MeetingId: "m" } }, Attendee: { Attendee: { AttendeeId: "a" } } },
  DialIn: { DialString: "sip:1@meet.example.com", Pin: "0123456789" },
};

function answers(status: number, body: unknown): { fetcher: typeof fetch; sent: () => unknown } {
  let sent: unknown;
  const fetcher: typeof fetch = (_url, init) => {
    sent = JSON.parse(String(init?.body));
    return Promise.resolve(new Response(typeof body === "string" ? body : JSON.stringify(body), { status }));
  };
  return { fetcher, sent: () => sent };
}

async function refusal(status: number, body: unknown): Promise<JoinRefused> {
  const result = await join("1", "Ada", answers(status, body).fetcher).catch((error: unknown) => error);
  if (!(result instanceof JoinRefused)) throw new Error(`not refused: ${String(result)}`);
  return result;
}

describe("joining", () => {
  it("sends the meeting and the name", async () => {
    const server = answers(200, GIVEN);
    await join("0123456789", "Ada", server.fetcher);
    expect(server.sent()).toEqual({ Meeting: "0123456789", Name: "Ada" });
  });

  it("hands on what the SDK and the dial-in page need", async () => {
    const place = await join("1", "Ada", answers(200, GIVEN).fetcher);
    expect(place).toEqual({
      meeting: GIVEN.JoinInfo.Meeting,
      attendee: GIVEN.JoinInfo.Attendee,
      dialString: "sip:1@meet.example.com",
      pin: "0123456789",
    });
  });

  it.each([
    [404, "unknown"],
    [410, "ended"],
    [409, "full"],
    [429, "refused"],
    [403, "refused"],
    [503, "unavailable"],
  ])("tells HTTP %i as %s", async (status, expected) => {
    expect((await refusal(status, {})).refusal).toBe(expected);
  });

  it("repeats the server's own words where we have none", async () => {
    expect((await refusal(403, { Message: "Not from here." })).message).toBe("Not from here.");
  });

  it("survives an answer that is not JSON", async () => {
    expect((await refusal(200, "<html>")).refusal).toBe("unavailable");
  });

  it("says so when the server cannot be reached", async () => {
    const fetcher: typeof fetch = () => Promise.reject(new TypeError("network"));
    await expect(join("1", "Ada", fetcher)).rejects.toMatchObject({ refusal: "unreachable" });
  });
});
