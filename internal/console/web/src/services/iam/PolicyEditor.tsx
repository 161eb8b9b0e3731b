import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Tabs from "@cloudscape-design/components/tabs";
import { GetContextKeysForCustomPolicyCommand } from "@aws-sdk/client-iam";
import { useCallback, useMemo, useState } from "react";
import { placeIn, tell } from "../../kit/errors";
import { JsonEditor } from "../../kit/JsonEditor";
import { checkPolicy, type Kind } from "../../policy/check";
import type { Fault } from "../../policy/json";
import { parseJSON } from "../../policy/json";
import { send } from "./api";
import { StatementBuilder } from "./StatementBuilder";

export const sample = `{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "VisualEditor0",
            "Effect": "Allow",
            "Action": [],
            "Resource": "*"
        }
    ]
}`;

/** An editor's text, and what the server says of it. */
export function useDocument(start: string, kind: Kind) {
  const [text, setText] = useState(start);
  const [refused, setRefused] = useState<{ text: string; faults: Fault[] }>();

  /** refuse takes the server's refusal of the text to the line that it names. */
  const refuse = useCallback((of: string, error: unknown): boolean => {
    const { message, code } = tell(error);
    if (!code.startsWith("MalformedPolicy") && code !== "InvalidInputException" && code !== "InvalidInput") return false;
    setRefused({ text: of, faults: [{ ...(placeIn(message) ?? { line: 1, column: 1 }), message: message.replace(/ ?\(line \d+, column \d+\)/, "") }] });
    return true;
  }, []);

  /**
   * fault says why one cannot go on with the text: its own faults, then the
   * server's, where whoever is signed in may ask it.
   */
  const fault = useCallback(async (): Promise<string | undefined> => {
    const own = checkPolicy(text, kind)[0];
    if (own) return `Ln ${own.line}, Col ${own.column}: ${own.message}`;
    if (kind !== "identity") return undefined;
    try {
      await send(new GetContextKeysForCustomPolicyCommand({ PolicyInputList: [text] }));
    } catch (e) {
      if (refuse(text, e)) return tell(e).message;
    }
    return undefined; // what else is wrong is said when it is made
  }, [text, kind, refuse]);

  return { text, setText, refused, refuse, fault };
}

type Document = ReturnType<typeof useDocument>;

/** PolicyEditor edits a policy as JSON, or adds statements to it by choosing. */
export function PolicyEditor({ document, kind, label = "Policy document", start = "visual" }: { document: Document; kind: Kind; label?: string; start?: "visual" | "json" }) {
  const [tab, setTab] = useState(start);
  const check = useCallback((text: string) => checkPolicy(text, kind), [kind]);
  const broken = useMemo(() => "fault" in parseJSON(document.text), [document.text]);
  const json = <JsonEditor label={label} value={document.text} onChange={document.setText} check={check} refused={document.refused} />;
  if (kind === "trust") return json;
  return (
    <Tabs
      activeTabId={tab}
      onChange={({ detail }) => setTab(detail.activeTabId as "visual" | "json")}
      tabs={[
        {
          id: "visual",
          label: "Visual",
          content: broken ? (
            <Alert type="warning">The document is not JSON as it stands. Mend it in the JSON tab first.</Alert>
          ) : (
            <SpaceBetween size="m">
              <StatementBuilder document={document.text} onChange={document.setText} />
            </SpaceBetween>
          ),
        },
        {
          id: "json",
          label: "JSON",
          content: (
            <SpaceBetween size="xs">
              {json}
              <Box color="text-body-secondary" fontSize="body-s">
                Characters: {document.text.replace(/\s/g, "").length} of {kind === "iot" ? "2,048" : "6,144"}, white space not counted
              </Box>
            </SpaceBetween>
          ),
        },
      ]}
    />
  );
}
