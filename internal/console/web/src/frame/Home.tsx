import Cards from "@cloudscape-design/components/cards";
import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import Link from "@cloudscape-design/components/link";
import { services } from "../services";

/** Home lists the services. */
export function Home() {
  return (
    <ContentLayout header={<Header variant="h1">Console Home</Header>}>
      <Cards
        items={services}
        trackBy="id"
        ariaLabels={{ itemSelectionLabel: () => "", selectionGroupLabel: "" }}
        cardDefinition={{
          header: (s) => (
            <Link href={`#/${s.id}`} fontSize="heading-m">
              {s.name}
            </Link>
          ),
          sections: [
            { id: "description", content: (s) => s.description },
            { id: "category", header: "Category", content: (s) => s.category },
          ],
        }}
        cardsPerRow={[{ cards: 1 }, { minWidth: 500, cards: 2 }, { minWidth: 992, cards: 3 }]}
        header={<Header variant="h2">Services</Header>}
      />
    </ContentLayout>
  );
}
