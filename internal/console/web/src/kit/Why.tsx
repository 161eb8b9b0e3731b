import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import { useEffect, useState } from "react";
import { CopyButton } from "./Copy";
import { tell } from "./errors";
import { useAction } from "./load";
import { advice, applies, explain, mayAsk, mayNotAsk, near, type Refusal } from "./refusal";

interface Props {
  id: string; // of the request
  said: string; // its error's message
}

/** Why says which statements of which policies refused a request, when somebody asks who may. */
export default function Why({ id, said }: Props) {
  const [offered, offer] = useState(false);
  const [refusal, set] = useState<Refusal>();
  const action = useAction();
  useEffect(() => {
    let gone = false;
    void mayAsk().then((may) => !gone && offer(may), () => {});
    return () => {
      gone = true;
    };
  }, []);
  if (refusal) return <Explanation of={refusal} said={said} />;
  if (!offered) return null;
  const failed = action.error === undefined ? undefined : tell(action.error);
  if (failed?.denied) return <Box color="text-body-secondary">Why it was refused is told to those who may call thingd:ExplainRefusal.</Box>;
  const ask = () =>
    action.run(async () => {
      try {
        set(await explain(id));
      } catch (e) {
        if (tell(e).denied) await mayNotAsk();
        throw e;
      }
    });
  return (
    <SpaceBetween size="xxs">
      <Button variant="inline-link" formAction="none" loading={action.busy} onClick={() => void ask()}>
        Why?
      </Button>
      {failed && <div className="words">{failed.message}</div>}
    </SpaceBetween>
  );
}

function Explanation({ of, said }: { of: Refusal; said: string }) {
  const what = advice(of);
  const rows = near(of);
  return (
    <section aria-label="Why">
      <SpaceBetween size="xs">
        {!said.includes(of.Reason) && (
          <div className="words">
            {of.Action} on {of.Resource} was refused {of.Reason}.
          </div>
        )}
        {of.Statements.length > 0 && (
          <div>
            {of.Statements.length === 1 ? "1 statement was" : `${of.Statements.length} statements were`} looked at
            {rows.length === 0 ? "; none is for this action and caller." : "; these are for this action:"}
          </div>
        )}
        {rows.length > 0 && (
          <Table
            variant="embedded"
            wrapLines
            items={rows}
            ariaLabels={{ tableLabel: "Statements" }}
            columnDefinitions={[
              { id: "policy", header: "Policy", cell: (s) => <span className="words">{s.PolicyId ? `${s.PolicyId} (${s.PolicyType})` : s.PolicyType}</span>, isRowHeader: true, minWidth: 130 },
              { id: "statement", header: "Statement", cell: (s) => `${s.Sid ?? s.Position} (Ln ${s.Start.Line}, Col ${s.Start.Column})`, minWidth: 120 },
              { id: "effect", header: "Effect", cell: (s) => s.Effect, minWidth: 80 },
              { id: "applies", header: "Applies", cell: applies, minWidth: 160 },
            ]}
          />
        )}
        {what && <div className="words">{what.text}</div>}
        {what?.statement && (
          <>
            <pre className="preserve">{what.statement}</pre>
            <CopyButton text={what.statement} what="the statement" />
          </>
        )}
      </SpaceBetween>
    </section>
  );
}
