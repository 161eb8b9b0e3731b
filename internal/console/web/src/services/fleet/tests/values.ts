import type { ModelSetting } from "../model";

/** initial is what a form of settings has at first: their defaults, and the chosen region where one is asked for. */
export const initial = (of: ModelSetting[], region: string): Record<string, string> =>
  Object.fromEntries(of.map((d) => [d.name, /region$/i.test(d.name) && !d.secret ? region : (d.default ?? "")]));

/** lacking says which settings need a value and have none. */
export const lacking = (of: ModelSetting[], values: Record<string, string>): Record<string, string> =>
  Object.fromEntries(of.filter((d) => d.required && !values[d.name]?.trim()).map((d) => [d.name, `Enter ${labelOf(d)}.`]));

/** given are the values that are not those that hold anyway. Blanks around them are slips of pasting. */
export const given = (of: ModelSetting[], values: Record<string, string>): Record<string, string> =>
  Object.fromEntries(of.map((d) => [d.name, (values[d.name] ?? "").trim()] as const).filter(([name, v]) => v !== (of.find((d) => d.name === name)?.default ?? "")));

export const labelOf = (d: ModelSetting): string => d.label || d.name;
