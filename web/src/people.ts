// The list of people: names, mute states, who speaks.
import { element, icon, make } from "./dom";
import type { Person } from "./roster";

/** Draws the roster; entries stay the same elements, so focus and screen readers are left in peace. */
export class People {
  private readonly list = element("roster", HTMLElement);
  private readonly count = element("people-count", HTMLElement);
  private readonly rows = new Map<string, HTMLLIElement>();

  show(people: readonly Person[]): void {
    const present = new Set(people.map((person) => person.attendeeId));
    for (const [id, row] of this.rows) {
      if (present.has(id)) continue;
      row.remove();
      this.rows.delete(id);
    }
    people.forEach((person, at) => {
      const row = this.row(person);
      if (this.list.children[at] !== row) this.list.insertBefore(row, this.list.children[at] ?? null);
      this.draw(row, person);
    });
    this.count.textContent = String(people.length);
  }

  private row(person: Person): HTMLLIElement {
    const known = this.rows.get(person.attendeeId);
    if (known) return known;
    const row = make("li", "person", make("span", "person-name"), make("span", "person-state"), icon("mic"));
    row.dataset["testid"] = "person";
    row.dataset["attendeeId"] = person.attendeeId;
    this.rows.set(person.attendeeId, row);
    return row;
  }

  private draw(row: HTMLLIElement, person: Person): void {
    const [name, state, mic] = row.children;
    row.dataset["name"] = person.name;
    row.dataset["self"] = String(person.self);
    row.dataset["muted"] = String(person.muted);
    row.dataset["speaking"] = String(person.speaking);
    row.dataset["activeSpeaker"] = String(person.activeSpeaker);
    row.dataset["volume"] = String(person.volume ?? "");
    setText(name, person.self ? `${person.name} (you)` : person.name);
    setText(state, person.muted ? "muted" : person.speaking ? "speaking" : person.signal === 0 ? "poor connection" : "");
    const symbol = `#icon-${person.muted ? "mic-off" : "mic"}`;
    const use = mic?.firstElementChild;
    if (use && use.getAttribute("href") !== symbol) use.setAttribute("href", symbol);
  }
}

function setText(node: Element | undefined, text: string): void {
  if (node && node.textContent !== text) node.textContent = text;
}
