import Badge from "@cloudscape-design/components/badge";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import Grid from "@cloudscape-design/components/grid";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import { useNotify } from "../../../frame/notices";
import type { Sub, TestClient } from "./client";
import { Log } from "./Log";

/** Subscriptions lists what is subscribed to, beside the log of the one that is chosen. */
export function Subscriptions({ client }: { client: TestClient }) {
  const chosen = client.sub(client.selected);
  const list = client.subs.map((s, n) => ({ s, n })).sort((a, b) => Number(b.s.favorite) - Number(a.s.favorite) || a.n - b.n);
  return (
    <Grid gridDefinition={[{ colspan: { default: 12, s: 4 } }, { colspan: { default: 12, s: 8 } }]}>
      <Container header={<Header variant="h2">Subscriptions</Header>}>
        {list.length === 0 ? (
          <Box color="text-body-secondary">You are subscribed to nothing yet.</Box>
        ) : (
          <ul className="subscriptions" aria-label="Subscriptions">
            {list.map(({ s }) => (
              <Row key={s.filter} client={client} sub={s} />
            ))}
          </ul>
        )}
      </Container>
      {chosen ? (
        <Log key={chosen.filter} client={client} sub={chosen} />
      ) : (
        <Container header={<Header variant="h2">Messages</Header>}>
          <Box textAlign="center" padding="l" color="text-body-secondary">
            <SpaceBetween size="xs">
              <b>No subscription</b>
              <span>Subscribe to a topic to see the messages that are sent on it.</span>
            </SpaceBetween>
          </Box>
        </Container>
      )}
    </Grid>
  );
}

function Row({ client, sub }: { client: TestClient; sub: Sub }) {
  const notify = useNotify();
  const close = async () => {
    try {
      await client.unsubscribe(sub.filter);
    } catch (e) {
      notify({ type: "warning", content: `The server did not confirm that ${sub.filter} is unsubscribed: ${e instanceof Error ? e.message : String(e)}` });
    }
  };
  const is = client.selected === sub.filter;
  const unread = sub.unread > 0 ? `, ${sub.unread} unread` : "";
  return (
    <li className={is ? "chosen" : undefined}>
      <button type="button" className="pick words" aria-label={sub.filter + unread} aria-current={is} onClick={() => client.select(sub.filter)}>
        {sub.filter}
        {sub.state === "refused" && (
          <>
            {" "}
            <StatusIndicator type="error">Refused</StatusIndicator>
          </>
        )}
      </button>
      {sub.unread > 0 && <Badge color="blue">{sub.unread > 999 ? "999+" : sub.unread}</Badge>}
      <Button
        variant="inline-icon"
        iconName={sub.favorite ? "star-filled" : "star"}
        ariaLabel={sub.favorite ? `${sub.filter} is a favorite` : `Make ${sub.filter} a favorite`}
        onClick={() => client.change(sub.filter, { favorite: !sub.favorite })}
      />
      <Button variant="inline-icon" iconName="close" ariaLabel={`Unsubscribe from ${sub.filter}`} onClick={() => void close()} />
    </li>
  );
}
