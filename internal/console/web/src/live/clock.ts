/** When, to the millisecond: November 22, 2026, 07:30:01.250 (UTC+01:00). */
export function clock(at: Date): string {
  const day = at.toLocaleDateString("en-US", { year: "numeric", month: "long", day: "numeric" });
  return `${day}, ${timeOfDay(at)} (${zone(at)})`;
}

export function timeOfDay(at: Date): string {
  return `${at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" })}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

function zone(at: Date): string {
  const east = -at.getTimezoneOffset();
  return `UTC${east < 0 ? "-" : "+"}${String(Math.floor(Math.abs(east) / 60)).padStart(2, "0")}:${String(Math.abs(east) % 60).padStart(2, "0")}`;
}
