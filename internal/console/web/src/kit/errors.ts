import { SignInError } from "../session/signin";

/** An error as it is shown: AWS's code and message, and the id by which the server knows the request. */
export interface Told {
  code: string;
  message: string;
  requestId?: string;
  denied: boolean; // by a policy, or for want of one
}

const denials = new Set(["AccessDenied", "AccessDeniedException", "UnauthorizedException", "ForbiddenException"]);

export function tell(error: unknown): Told {
  if (error instanceof SignInError) return { code: error.name, message: error.message, denied: false };
  if (error instanceof TypeError && /fetch|network|load failed/i.test(error.message)) {
    return { code: "NetworkingError", message: "The server cannot be reached.", denied: false };
  }
  if (error instanceof Error) {
    const requestId = (error as { $metadata?: { requestId?: string } }).$metadata?.requestId;
    return { code: error.name, message: error.message || "The request failed.", requestId, denied: denials.has(error.name) };
  }
  return { code: "Error", message: String(error), denied: false };
}

/** The place that a message of the server names: "… (line 4, column 7)". */
export function placeIn(message: string): { line: number; column: number } | undefined {
  const m = /\(line (\d+), column (\d+)\)/.exec(message);
  return m ? { line: Number(m[1]), column: Number(m[2]) } : undefined;
}

export const isCode = (error: unknown, ...codes: string[]): boolean => error instanceof Error && codes.includes(error.name);
