import ExpandableSection from "@cloudscape-design/components/expandable-section";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go, to } from "../../../frame/route";
import { CopyButton } from "../../../kit/Copy";
import { Part } from "../../../kit/DetailPage";
import { useLoad } from "../../../kit/load";
import { region } from "../../../session/region";
import { createTest, getSample, type Sample } from "../api";
import { nameFault } from "../model";
import { SidePanel } from "../SidePanel";
import { given, initial, lacking } from "./values";
import { SettingInput } from "./SettingInput";

/** SamplePanel asks for what a sample needs, and makes a test of it. */
export function SamplePanel({ sample, onDismiss }: { sample: Sample; onDismiss: () => void }) {
  const notify = useNotify();
  const [name, setName] = useState(sample.sampleName);
  const [values, setValues] = useState(() => initial(sample.settings, region()));
  const [tried, setTried] = useState(false);
  const details = useLoad(() => getSample(sample.sampleName), [sample.sampleName]);
  const wrong = lacking(sample.settings, values);
  return (
    <SidePanel
      title={sample.sampleName}
      verb="Create"
      valid={() => {
        setTried(true);
        return !nameFault(name) && Object.keys(wrong).length === 0;
      }}
      onSubmit={async () => {
        await createTest(name, { sampleName: sample.sampleName, settings: given(sample.settings, values) });
        notify({ type: "success", content: `Test ${name} created.` });
        go(to(["fleet", "tests", "details", name]));
      }}
      onDismiss={onDismiss}
    >
      {sample.settings.map((d) => (
        <SettingInput key={d.name} of={d} value={values[d.name] ?? ""} onChange={(v) => setValues((was) => ({ ...was, [d.name]: v }))} error={tried ? wrong[d.name] : undefined} />
      ))}
      <FormField label="Test name" errorText={tried && nameFault(name)}>
        <Input value={name} onChange={({ detail }) => setName(detail.value)} autoComplete={false} />
      </FormField>
      <Part of={details}>
        {(d) =>
          d.policyDocument ? (
            <ExpandableSection headerText="The IAM policy that the access key needs">
              <SpaceBetween size="xs">
                <CopyButton text={d.policyDocument} what="Policy" />
                <pre className="payload" tabIndex={0} aria-label="Policy">
                  {d.policyDocument}
                </pre>
              </SpaceBetween>
            </ExpandableSection>
          ) : null
        }
      </Part>
    </SidePanel>
  );
}
