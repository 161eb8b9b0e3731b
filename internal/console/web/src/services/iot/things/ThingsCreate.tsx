import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";

/** ThingsCreate asks how many. */
export function ThingsCreate() {
  return (
    <ContentLayout
      header={
        <Header variant="h1" description="An IoT thing is a representation and record of your physical device in the cloud. Any physical device needs a thing record in order to work with AWS IoT.">
          Creating AWS IoT things
        </Header>
      }
    >
      <SpaceBetween size="l">
        <Container
          header={
            <Header
              variant="h2"
              description="Create a thing in your registry, with a certificate and policies, and download what its device needs."
              actions={
                <Button variant="primary" href="#/iot/things/create-single">
                  Create a single thing
                </Button>
              }
            >
              Register a single AWS IoT thing
            </Header>
          }
        />
        <Container
          header={
            <Header variant="h2" description="Create many things at once: from a list of names, each with a certificate of its own." actions={<Button href="#/iot/things/create-many">Create many things</Button>}>
              Bulk register many AWS IoT things
            </Header>
          }
        />
      </SpaceBetween>
    </ContentLayout>
  );
}
