import Button from "@cloudscape-design/components/button";
import { useState, type ComponentProps, type ReactNode } from "react";
import { useNotify } from "../frame/notices";
import { List } from "./ListPage";

/** What a dialogue that deletes something calls when it is done. */
export interface Deleting {
  onDismiss: () => void;
  onDeleted: () => void | Promise<void>;
}

interface Props<T> extends Omit<ComponentProps<typeof List<T>>, "select" | "selected" | "onSelect" | "actions"> {
  /** One of them, as a sentence begins: Role alias. */
  one: string;
  /** The dialogue that deletes an item. */
  confirm: (item: T, deleting: Deleting) => ReactNode;
  /** Where one is made, and what the button says. */
  create: { href: string; text: string };
  more?: ReactNode; // another button, before that
}

/** DeletableList is the screen of a list whose items have names, by id, and are deleted one at a time. */
export function DeletableList<T>({ one, confirm, create, more, ...list }: Props<T>) {
  const notify = useNotify();
  const [selected, select] = useState<T[]>([]);
  const [doomed, doom] = useState<{ item: T }>();
  return (
    <>
      <List
        {...list}
        select="single"
        selected={selected}
        onSelect={select}
        actions={([item]) => (
          <>
            <Button disabled={item === undefined} onClick={() => item !== undefined && doom({ item })}>
              Delete
            </Button>
            {more}
            <Button variant="primary" href={create.href}>
              {create.text}
            </Button>
          </>
        )}
      />
      {doomed &&
        confirm(doomed.item, {
          onDismiss: () => doom(undefined),
          onDeleted: () => {
            select([]);
            notify({ type: "success", content: `${one} ${list.id(doomed.item)} deleted.` });
            return list.items.reload();
          },
        })}
    </>
  );
}
