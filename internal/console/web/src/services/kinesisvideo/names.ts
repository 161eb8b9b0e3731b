/** How long a stream keeps its video, as people say it. */
export function retention(hours: number | undefined): string {
  if (hours === undefined) return "-";
  if (hours === 0) return "None";
  if (hours % 24) return `${hours} ${hours === 1 ? "hour" : "hours"}`;
  return hours === 24 ? "1 day" : `${hours / 24} days`;
}

/** AWS's most: ten years. */
const mostHours = 87_600;

export function nameFault(name: string): string | undefined {
  if (!name) return "Enter a name.";
  return /^[A-Za-z0-9_.-]{1,256}$/.test(name) ? undefined : "Up to 256 letters, digits, and the characters . _ -";
}

export const retentionFault = (text: string): string | undefined =>
  /^\d+$/.test(text) && Number(text) <= mostHours ? undefined : `Enter whole hours, from 0 to ${mostHours.toLocaleString("en-US")}.`;

export const deviceFault = (text: string): string | undefined => (text === "" || /^[A-Za-z0-9_.-]{1,128}$/.test(text) ? undefined : "Up to 128 letters, digits, and the characters . _ -");

export const mediaFault = (text: string): string | undefined =>
  text === "" || (text.length <= 128 && /^[\w.+-]+\/[\w.+-]+(,[\w.+-]+\/[\w.+-]+)*$/.test(text)) ? undefined : "Media types such as video/h264, with commas between them: video/h264,audio/aac";
