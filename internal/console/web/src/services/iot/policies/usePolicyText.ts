import { useCallback, useState } from "react";
import { placeIn, tell } from "../../../kit/errors";
import { checkPolicy } from "../../../policy/check";
import type { Fault } from "../../../policy/json";

/** The text of a policy as it is being written, and what the server says of it. */
export function usePolicyText(start: string) {
  const [text, setText] = useState(start);
  const [refused, setRefused] = useState<{ text: string; faults: Fault[] }>();

  /** refuse takes the server's refusal to the line that it names. */
  const refuse = useCallback((of: string, error: unknown) => {
    const { message, code } = tell(error);
    if (code === "MalformedPolicyException") setRefused({ text: of, faults: [{ ...(placeIn(message) ?? { line: 1, column: 1 }), message: message.replace(/ ?\(line \d+, column \d+\)/, "") }] });
  }, []);
  const fault = checkPolicy(text, "iot")[0];
  return { text, setText, refused, refuse, fault: fault && `Ln ${fault.line}, Col ${fault.column}: ${fault.message}` };
}

export type PolicyText = ReturnType<typeof usePolicyText>;
