// The panel's tabs, moved through with the arrow keys as the ARIA practices ask.
import { element } from "./dom";

/** The tabs of the panel. */
export type Tab = "people" | "chat" | "dial";

/** Shows one tab's panel at a time. */
export class Panel {
  private readonly tabs: { name: Tab; tab: HTMLElement; panel: HTMLElement }[] = [
    { name: "people", tab: element("tab-people", HTMLElement), panel: element("people", HTMLElement) },
    { name: "chat", tab: element("tab-chat", HTMLElement), panel: element("chat", HTMLElement) },
    { name: "dial", tab: element("tab-dial", HTMLElement), panel: element("dial", HTMLElement) },
  ];

  constructor(private readonly opened: (tab: Tab) => void) {
    this.tabs.forEach(({ name, tab }, at) => {
      tab.addEventListener("click", () => this.open(name));
      tab.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        const next = this.tabs[(at + step + this.tabs.length) % this.tabs.length];
        next?.tab.focus();
        if (next) this.open(next.name);
      });
    });
  }

  get current(): Tab {
    return this.tabs.find(({ panel }) => !panel.hidden)?.name ?? "people";
  }

  open(name: Tab): void {
    for (const { name: other, tab, panel } of this.tabs) {
      const selected = other === name;
      tab.setAttribute("aria-selected", String(selected));
      tab.tabIndex = selected ? 0 : -1;
      panel.hidden = !selected;
    }
    this.opened(name);
  }
}
