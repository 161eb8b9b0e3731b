import { applyMode, Mode } from "@cloudscape-design/global-styles";
import { recall, remember } from "../session/region";

/** Light or dark: as chosen, else as the system has it. */
export type Look = "light" | "dark" | "system";

const key = "thingd.look";
const dark = window.matchMedia("(prefers-color-scheme: dark)");
let look: Look = read();

function read(): Look {
  const kept = recall(key);
  return kept === "light" || kept === "dark" ? kept : "system";
}

function apply(): void {
  const is = look === "dark" || (look === "system" && dark.matches);
  applyMode(is ? Mode.Dark : Mode.Light);
  document.documentElement.style.colorScheme = is ? "dark" : "light";
}

export function startLook(): void {
  apply();
  dark.addEventListener("change", apply);
}

export const currentLook = (): Look => look;

export const isDark = (): boolean => look === "dark" || (look === "system" && dark.matches);

export function chooseLook(to: Look): void {
  look = to;
  remember(key, to);
  apply();
}
