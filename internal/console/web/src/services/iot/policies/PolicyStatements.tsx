import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useCallback, useState } from "react";
import { JsonEditor } from "../../../kit/JsonEditor";
import { checkPolicy } from "../../../policy/check";
import { weight } from "../names";
import { documentOf, rowFault, rowsOf, type Row } from "./statements";
import { StatementForm } from "./StatementForm";
import type { PolicyText } from "./usePolicyText";

/** The two ways to write a policy, and its text as it stands in the one that is shown. */
export function usePolicyStatements(policy: PolicyText, start: "basic" | "advanced") {
  const [mode, setMode] = useState(start);
  const [rows, setRows] = useState<Row[]>(() => rowsOf(policy.text) ?? []);
  const [tried, setTried] = useState(false);
  const [stays, setStays] = useState(false); // in JSON: the form cannot say it
  const basic = mode === "basic" && rows.length > 0;
  return {
    rows,
    setRows,
    basic,
    tried,
    stays,
    toAdvanced: () => {
      if (rows.every((r) => !rowFault(r).action && !rowFault(r).resource)) policy.setText(documentOf(rows));
      setMode("advanced");
    },
    toBasic: () => {
      const read = rowsOf(policy.text);
      setStays(!read);
      if (!read) return;
      setRows(read);
      setMode("basic");
    },
    /** document is what is to be sent; undefined: something is wrong, and is said. */
    document: (): string | undefined => {
      setTried(true);
      if (!basic) return policy.fault ? undefined : policy.text;
      return rows.some((r) => rowFault(r).action || rowFault(r).resource) ? undefined : documentOf(rows);
    },
  };
}

interface Props {
  policy: PolicyText;
  of: ReturnType<typeof usePolicyStatements>;
}

/** PolicyStatements edits a policy in fields (basic mode) or as JSON (advanced mode). */
export function PolicyStatements({ policy, of }: Props) {
  const check = useCallback((text: string) => checkPolicy(text, "iot"), []);
  if (of.basic) return <StatementForm rows={of.rows} onChange={of.setRows} tried={of.tried} switcher={<Button onClick={of.toAdvanced}>Advanced mode</Button>} />;
  const used = weight(policy.text);
  return (
    <Container
      header={
        <Header variant="h2" description="Policy statements define the types of actions that can be performed by a resource." actions={<Button onClick={of.toBasic}>Basic mode</Button>}>
          Policy document
        </Header>
      }
    >
      <SpaceBetween size="xs">
        {of.stays && <Alert type="info">The basic mode has actions, resources and effects only. This policy says more, or cannot be read.</Alert>}
        <JsonEditor label="Policy document" value={policy.text} onChange={policy.setText} check={check} refused={policy.refused} height={360} />
        <Box color={used > 2048 ? "text-status-error" : "text-body-secondary"} fontSize="body-s">
          Characters: {used.toLocaleString("en-US")} of 2,048, white space not counted
        </Box>
      </SpaceBetween>
    </Container>
  );
}
