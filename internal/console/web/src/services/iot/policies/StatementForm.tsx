import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import RadioGroup from "@cloudscape-design/components/radio-group";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Textarea from "@cloudscape-design/components/textarea";
import { useSession } from "../../../session/identity";
import { region } from "../../../session/region";
import { emptyRow, rowFault, type Row } from "./statements";

/** StatementForm edits the statements of a policy in fields: the basic mode. */
export function StatementForm({ rows, onChange, tried, switcher }: { rows: Row[]; onChange: (rows: Row[]) => void; tried: boolean; switcher: React.ReactNode }) {
  const { who } = useSession();
  const arn = (what: string) => `arn:aws:iot:${region()}:${who.account}:${what}`;
  const change = (index: number, part: Partial<Row>) => onChange(rows.map((r, i) => (i === index ? { ...r, ...part } : r)));
  return (
    <Container
      header={
        <Header variant="h2" description="Policy statements define the types of actions that can be performed by a resource." actions={switcher}>
          Add statements
        </Header>
      }
      footer={<Button onClick={() => onChange([...rows, emptyRow])}>Add statement</Button>}
    >
      <SpaceBetween size="l">
        {rows.map((r, i) => {
          const fault = tried ? rowFault(r) : {};
          const nth = rows.length > 1 ? ` ${i + 1}` : "";
          return (
            <SpaceBetween size="m" key={i}>
              <FormField label={`Action${nth}`} description="Please use a comma to separate actions." errorText={fault.action} stretch>
                <Textarea rows={2} value={r.action} onChange={({ detail }) => change(i, { action: detail.value })} placeholder="iot:Connect, iot:Publish" spellcheck={false} />
              </FormField>
              <FormField
                label={`Resource ARN${nth}`}
                constraintText={`For example * or ${arn("client/my-client-id")}, ${arn("topic/my/topic")}, ${arn("topicfilter/my/topic")}`}
                errorText={fault.resource}
                stretch
              >
                <Textarea rows={1} value={r.resource} onChange={({ detail }) => change(i, { resource: detail.value })} placeholder="*" spellcheck={false} />
              </FormField>
              <FormField label={`Effect${nth}`}>
                <RadioGroup
                  direction="horizontal"
                  value={r.effect}
                  onChange={({ detail }) => change(i, { effect: detail.value as Row["effect"] })}
                  items={[
                    { value: "Allow", label: "Allow" },
                    { value: "Deny", label: "Deny" },
                  ]}
                />
              </FormField>
              {rows.length > 1 && (
                <Button onClick={() => onChange(rows.filter((_, x) => x !== i))} ariaLabel={`Remove the statement ${i + 1}`}>
                  Remove
                </Button>
              )}
            </SpaceBetween>
          );
        })}
      </SpaceBetween>
    </Container>
  );
}
