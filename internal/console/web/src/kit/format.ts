/** When, in the browser's own time: November 22, 2026, 07:30 (UTC+01:00). */
export function time(at: Date | undefined): string {
  if (!at) return "-";
  const day = at.toLocaleDateString("en-US", { year: "numeric", month: "long", day: "numeric" });
  const clock = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  const east = -at.getTimezoneOffset();
  const zone = `${east < 0 ? "-" : "+"}${String(Math.floor(Math.abs(east) / 60)).padStart(2, "0")}:${String(Math.abs(east) % 60).padStart(2, "0")}`;
  return `${day}, ${clock} (UTC${zone})`;
}

/** How long ago, in the largest unit that fits. */
export function ago(at: Date | undefined, now = Date.now()): string {
  if (!at) return "-";
  const seconds = Math.max(0, Math.floor((now - at.getTime()) / 1000));
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]] as const) {
    const n = Math.floor(seconds / size);
    if (n > 0) return `${n} ${unit}${n === 1 ? "" : "s"} ago`;
  }
  return "Now";
}
