import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Drawer from "@cloudscape-design/components/drawer";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useEffect, useRef, useState, type ReactNode } from "react";
import { ErrorBox } from "../../kit/ErrorBox";
import { useAction } from "../../kit/load";

interface Props {
  title: string;
  verb: string; // what the button says
  /** Whether what was entered will do; the fields say what is wrong. */
  valid?: () => boolean;
  onSubmit: () => Promise<void>;
  onDismiss: () => void;
  children: ReactNode;
}

/** SidePanel asks at the side for what something needs, and shows in it what came of it if that went wrong. */
export function SidePanel({ title, verb, valid, onSubmit, onDismiss, children }: Props) {
  const action = useAction();
  // It opens after it is there, and is gone after it has closed: so the focus goes into it, and back where it was.
  const [is, set] = useState<"new" | "open" | "closed">("new");
  const dismissed = useRef(onDismiss);
  dismissed.current = onDismiss;
  useEffect(() => {
    if (is === "new") set("open");
    if (is === "closed") dismissed.current();
  }, [is]);
  const close = () => set("closed");
  const submit = async () => {
    if (action.busy || !(valid?.() ?? true)) return;
    await action.run(onSubmit);
  };
  return (
    <Drawer
      position="fixed"
      placement="end"
      backdrop
      zIndex={2000}
      open={is === "open"}
      ariaLabel={title}
      header={<Header variant="h2">{title}</Header>}
      closeAction={{ ariaLabel: "Close" }}
      onClose={close}
      footer={
        <Box float="right">
          <SpaceBetween direction="horizontal" size="xs">
            <Button variant="link" onClick={close}>
              Cancel
            </Button>
            <Button variant="primary" loading={action.busy} onClick={() => void submit()}>
              {verb}
            </Button>
          </SpaceBetween>
        </Box>
      }
    >
      <form
        className="side-panel"
        onSubmit={(e) => {
          e.preventDefault();
          void submit();
        }}
      >
        <SpaceBetween size="l">
          {children}
          <ErrorBox error={action.error} />
        </SpaceBetween>
        <button type="submit" hidden />
      </form>
    </Drawer>
  );
}
