import Button from "@cloudscape-design/components/button";
import Form from "@cloudscape-design/components/form";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import type { ReactNode } from "react";
import { ErrorBox } from "./ErrorBox";
import { useAction } from "./load";

interface Props {
  title: string;
  description?: ReactNode;
  submit: string;
  onSubmit: () => Promise<void>;
  onCancel: () => void;
  /** Whether what was entered will do; the fields say what is wrong. */
  valid?: () => boolean;
  children: ReactNode;
}

/** FormPage makes or changes something on one screen. */
export function FormPage({ title, description, submit, onSubmit, onCancel, valid, children }: Props) {
  const action = useAction();
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        if (!action.busy && (valid?.() ?? true)) void action.run(onSubmit);
      }}
    >
      <Form
        header={
          <Header variant="h1" description={description}>
            {title}
          </Header>
        }
        actions={
          <SpaceBetween direction="horizontal" size="xs">
            <Button formAction="none" variant="link" onClick={onCancel}>
              Cancel
            </Button>
            <Button variant="primary" loading={action.busy}>
              {submit}
            </Button>
          </SpaceBetween>
        }
      >
        <SpaceBetween size="l">
          {children}
          <ErrorBox error={action.error} />
        </SpaceBetween>
      </Form>
    </form>
  );
}
