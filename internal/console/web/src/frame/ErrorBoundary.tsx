import Alert from "@cloudscape-design/components/alert";
import Button from "@cloudscape-design/components/button";
import { Component, type ReactNode } from "react";

/** ErrorBoundary shows a screen's own fault in its place, so that the rest goes on. */
export class ErrorBoundary extends Component<{ children: ReactNode }, { error?: unknown }> {
  state: { error?: unknown } = {};
  static getDerivedStateFromError(error: unknown) {
    return { error };
  }
  render() {
    const { error } = this.state;
    if (error === undefined) return this.props.children;
    return (
      <Alert type="error" header="This screen failed" action={<Button onClick={() => location.reload()}>Reload the page</Button>}>
        {error instanceof Error ? error.message : String(error)}
      </Alert>
    );
  }
}
