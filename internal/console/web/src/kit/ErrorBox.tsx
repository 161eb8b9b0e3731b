import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import { tell } from "./errors";

/** ErrorBox says in its place what went wrong, in AWS's words. Without an error it is nothing. */
export function ErrorBox({ error, what, onRetry }: { error: unknown; what?: string; onRetry?: () => void }) {
  if (error === undefined || error === null) return null;
  const e = tell(error);
  const header = what ?? (e.denied ? "You don't have permission" : "The request failed");
  return (
    <Alert type="error" header={header} action={onRetry && <Button onClick={onRetry}>Try again</Button>}>
      <div className="words">{e.message}</div>
      <Box fontSize="body-s" color="text-body-secondary">
        <span className="words">
          {e.code}
          {e.requestId && <> · Request ID {e.requestId}</>}
        </span>
      </Box>
    </Alert>
  );
}
