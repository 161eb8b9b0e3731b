import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { lazy, Suspense } from "react";
import { tell } from "./errors";

const Why = lazy(() => import("./Why"));

/** ErrorBox says in its place what went wrong, in AWS's words, and of a refusal why. Without an error it is nothing. */
export function ErrorBox({ error, what, onRetry }: { error: unknown; what?: string; onRetry?: () => void }) {
  if (error === undefined || error === null) return null;
  const e = tell(error);
  const header = what ?? (e.denied ? "You don't have permission" : "The request failed");
  return (
    <Alert type="error" header={header} action={onRetry && <Button onClick={onRetry}>Try again</Button>}>
      <SpaceBetween size="xs">
        <div className="words">{e.message}</div>
        <Box fontSize="body-s" color="text-body-secondary">
          <span className="words">
            {e.code}
            {e.requestId && <> · Request ID {e.requestId}</>}
          </span>
        </Box>
        {e.denied && e.requestId && (
          <Suspense>
            <Why key={e.requestId} id={e.requestId} said={e.message} />
          </Suspense>
        )}
      </SpaceBetween>
    </Alert>
  );
}
