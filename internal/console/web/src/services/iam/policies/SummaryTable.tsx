import Box from "@cloudscape-design/components/box";
import Header from "@cloudscape-design/components/header";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import Table from "@cloudscape-design/components/table";
import { useMemo } from "react";
import { summarize } from "../../../policy/summary";

/** SummaryTable shows what a policy says, service by service. */
export function SummaryTable({ document }: { document: string }) {
  const lines = useMemo(() => summarize(document), [document]);
  return (
    <Table
      variant="container"
      items={lines}
      header={
        <Header variant="h2" description="Permissions defined in this policy, by service.">
          Permissions defined in this policy
        </Header>
      }
      ariaLabels={{ tableLabel: "Permissions defined in this policy" }}
      wrapLines
      empty={<Box textAlign="center">The policy allows and denies nothing.</Box>}
      columnDefinitions={[
        { id: "effect", header: "Effect", width: 120, minWidth: 110, cell: (l) => (l.effect === "Deny" ? <StatusIndicator type="error">Deny</StatusIndicator> : <StatusIndicator type="success">Allow</StatusIndicator>) },
        { id: "service", header: "Service", minWidth: 90, cell: (l) => l.service, isRowHeader: true },
        { id: "access", header: "Access level", minWidth: 110, cell: (l) => l.access },
        { id: "resource", header: "Resource", minWidth: 160, cell: (l) => l.resource },
        { id: "condition", header: "Request condition", minWidth: 120, cell: (l) => l.condition },
      ]}
    />
  );
}
