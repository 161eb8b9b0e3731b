import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import Modal from "@cloudscape-design/components/modal";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useState, type ReactNode } from "react";
import { ErrorBox } from "./ErrorBox";
import { useAction } from "./load";

interface Props {
  title: string;
  /** What the button says: Delete. */
  verb: string;
  children: ReactNode;
  /** What has to be typed in first; nothing: the button is enough. */
  typed?: string;
  /** Whether the button may be pressed yet. */
  ready?: boolean;
  large?: boolean;
  onConfirm: () => Promise<void>;
  onDismiss: () => void;
}

/** ConfirmModal asks before something is done, and shows in it what came of it if that went wrong. */
export function ConfirmModal({ title, verb, children, typed, ready = true, large, onConfirm, onDismiss }: Props) {
  const [text, setText] = useState("");
  const action = useAction();
  const may = ready && (!typed || text === typed);
  const confirm = async () => {
    if (may && !action.busy && (await action.run(onConfirm))) onDismiss();
  };
  return (
    <Modal
      visible
      size={large ? "large" : "medium"}
      onDismiss={onDismiss}
      closeAriaLabel="Close"
      header={title}
      footer={
        <Box float="right">
          <SpaceBetween direction="horizontal" size="xs">
            <Button variant="link" onClick={onDismiss}>
              Cancel
            </Button>
            <Button variant="primary" disabled={!may} loading={action.busy} onClick={() => void confirm()}>
              {verb}
            </Button>
          </SpaceBetween>
        </Box>
      }
    >
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void confirm();
        }}
      >
        <SpaceBetween size="m">
          {children}
          {typed && (
            <FormField label={`To confirm, enter ${typed}`}>
              <Input value={text} onChange={({ detail }) => setText(detail.value)} placeholder={typed} />
            </FormField>
          )}
          <ErrorBox error={action.error} />
        </SpaceBetween>
      </form>
    </Modal>
  );
}
