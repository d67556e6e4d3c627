// Asks the server for a place in a meeting: POST /join.

/** What the server hands out: opaque to us, read by the SDK; and how phones reach the same meeting. */
export interface Place {
  meeting: Record<string, unknown>;
  attendee: Record<string, unknown>;
  dialString: string;
  pin: string;
}

/** Why there is no place. */
export type Refusal = "unknown" | "ended" | "full" | "refused" | "unavailable" | "unreachable";

/** A refused join, with words for the person at the screen. */
export class JoinRefused extends Error {
  constructor(
    readonly refusal: Refusal,
    message: string,
  ) {
    super(message);
  }
}

/** Takes a place in the meeting. Throws {@link JoinRefused}. */
export async function join(meeting: string, name: string, fetcher: typeof fetch = fetch): Promise<Place> {
  let response: Response;
  try {
    response = await fetcher("/join", {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({ Meeting: meeting, Name: name }),
    });
  } catch {
    throw new JoinRefused("unreachable", "The server could not be reached. Check your connection and try again.");
  }
  if (!response.ok) throw refused(response.status, await serverWords(response));
  return place(await response.json().catch(() => undefined));
}

function refused(status: number, said: string): JoinRefused {
  switch (status) {
    case 404:
      return new JoinRefused("unknown", "No meeting has this id. Check the digits in your invitation.");
    case 410:
      return new JoinRefused("ended", "This meeting has ended.");
    case 409:
      return new JoinRefused("full", "This meeting is full.");
    case 429:
      return new JoinRefused("refused", "Too many attempts. Wait a minute, then try again.");
    default:
      return status >= 500
        ? new JoinRefused("unavailable", said || "The server cannot take you in right now. Try again in a moment.")
        : new JoinRefused("refused", said || `The server refused (HTTP ${status}).`);
  }
}

async function serverWords(response: Response): Promise<string> {
  const body: unknown = await response.json().catch(() => undefined);
  if (!isRecord(body)) return "";
  const words = body["Message"] ?? body["message"];
  return typeof words === "string" ? words : "";
}

function place(body: unknown): Place {
  const info = isRecord(body) ? body["JoinInfo"] : undefined;
  const dial = isRecord(body) && isRecord(body["DialIn"]) ? body["DialIn"] : {};
  if (!isRecord(info) || !isRecord(info["Meeting"]) || !isRecord(info["Attendee"])) {
    throw new JoinRefused("unavailable", "The server's answer made no sense.");
  }
  return {
    meeting: info["Meeting"],
    attendee: info["Attendee"],
    dialString: text(dial["DialString"]),
    pin: text(dial["Pin"]),
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
