// Chat to everybody, carried by the meeting's data messages.
import { element, make } from "./dom";
import { MESSAGE_LIMIT } from "./session";

/** Octets of a text as it goes over the wire. */
export function octets(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** The log, the field under it, and the count of unread messages on the tab. */
export class Chat {
  private readonly log = element("chat-log", HTMLElement);
  private readonly field = element("chat-text", HTMLInputElement);
  private readonly badge = element("chat-unread", HTMLElement);
  private unread = 0;

  constructor(send: (text: string) => void) {
    element("chat-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.field.value.trim();
      if (text) send(text);
    });
    this.field.addEventListener("input", () => {
      const over = octets(this.field.value.trim()) - MESSAGE_LIMIT;
      this.field.setCustomValidity(over > 0 ? `The message is ${over} octets too long.` : "");
    });
  }

  /** The message went out: show it and take it out of the field. */
  sent(name: string, text: string): void {
    this.field.value = "";
    this.add(name, text, Date.now(), true);
  }

  /** A message came in; `seen` says whether the chat is open. */
  came(name: string, text: string, at: number, seen: boolean): void {
    this.add(name, text, at, false);
    if (!seen) this.mark(this.unread + 1);
  }

  /** A word of our own, such as that a message was refused. */
  remark(text: string): void {
    const line = make("li", "chat-remark", text);
    this.append(line);
  }

  /** The chat is in view. */
  opened(): void {
    this.mark(0);
    this.log.scrollTop = this.log.scrollHeight;
    this.field.focus();
  }

  clear(): void {
    this.log.replaceChildren();
    this.mark(0);
  }

  private add(name: string, text: string, at: number, own: boolean): void {
    const time = make("time", "", new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
    time.dateTime = new Date(at).toISOString();
    const line = make("li", own ? "chat-line own" : "chat-line", make("b", "", name), " ", time, make("p", "", text));
    line.dataset["testid"] = "chat-line";
    line.dataset["from"] = name;
    this.append(line);
  }

  private append(line: HTMLElement): void {
    const atEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 40;
    this.log.append(line);
    // Somebody who reads further up is not torn away.
    if (atEnd) this.log.scrollTop = this.log.scrollHeight;
  }

  private mark(unread: number): void {
    this.unread = unread;
    this.badge.hidden = unread === 0;
    this.badge.textContent = String(unread);
    this.badge.setAttribute("aria-label", `${unread} unread`);
  }
}
