import CloudscapeWizard from "@cloudscape-design/components/wizard";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useRef, useState, type ReactNode } from "react";
import { ErrorBox } from "./ErrorBox";
import { useAction } from "./load";

export interface Step {
  title: string;
  description?: ReactNode;
  content: ReactNode;
  optional?: boolean;
  /** What keeps one from going on; a promise may ask the server. Nothing: all is well. */
  check?: () => string | undefined | Promise<string | undefined>;
}

interface Props {
  steps: Step[];
  submit: string; // what the last button says
  onSubmit: () => Promise<void>;
  onCancel: () => void;
  /** A step to go back to when the submission failed because of it. */
  failedIn?: (error: unknown) => number | undefined;
  next?: (step: number) => string | undefined; // what the button says, where it is not Next
}

/** Wizard makes something in steps. Nothing is made before the last one. */
export function Wizard({ steps, submit, onSubmit, onCancel, failedIn }: Props) {
  const [active, setActive] = useState(0);
  const [lacking, setLacking] = useState<{ step: number; text: string }>();
  const [checking, setChecking] = useState(false);
  const action = useAction();
  const busy = useRef(false);

  const passes = async (index: number): Promise<boolean> => {
    const text = await steps[index]?.check?.();
    setLacking(text ? { step: index, text } : undefined);
    return !text;
  };
  const navigate = async (to: number) => {
    if (busy.current) return;
    busy.current = true;
    setChecking(true);
    try {
      for (let i = active; i < to; i++) {
        if (await passes(i)) continue;
        setActive(i);
        return;
      }
      setLacking(undefined);
      action.setError(undefined);
      setActive(to);
    } finally {
      busy.current = false;
      setChecking(false);
    }
  };
  const finish = async () => {
    if (busy.current || !(await passes(active))) return;
    busy.current = true;
    try {
      await action.run(async () => {
        try {
          await onSubmit();
        } catch (e) {
          const step = failedIn?.(e);
          if (step !== undefined) setActive(step);
          throw e;
        }
      });
    } finally {
      busy.current = false;
    }
  };

  return (
    <CloudscapeWizard
      activeStepIndex={active}
      onNavigate={({ detail }) => void navigate(detail.requestedStepIndex)}
      onCancel={onCancel}
      onSubmit={() => void finish()}
      isLoadingNextStep={checking || action.busy}
      submitButtonText={submit}
      allowSkipTo
      i18nStrings={{
        stepNumberLabel: (n) => `Step ${n}`,
        collapsedStepsLabel: (n, of) => `Step ${n} of ${of}`,
        skipToButtonLabel: (step) => `Skip to ${step.title}`,
        navigationAriaLabel: "Steps",
        cancelButton: "Cancel",
        previousButton: "Previous",
        nextButton: "Next",
        optional: "optional",
      }}
      steps={steps.map((s, i) => ({
        title: s.title,
        description: s.description,
        isOptional: s.optional,
        errorText: lacking?.step === i ? lacking.text : undefined,
        content: (
          <SpaceBetween size="l">
            {i === active && <ErrorBox error={action.error} />}
            {s.content}
          </SpaceBetween>
        ),
      }))}
    />
  );
}
