import Box from "@cloudscape-design/components/box";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import LineChart from "@cloudscape-design/components/line-chart";
import { figure, lines, took, type Point } from "../report";

interface Props {
  title: string;
  unit?: string;
  points: Point[];
  /** Which values, and what they are called. */
  of: Parameters<typeof lines>[1];
  /** Whether 0 means that there was none. */
  gaps?: boolean;
  empty: string;
}

/** Chart shows some values of a run over its time. */
export function Chart({ title, unit, points, of, gaps, empty }: Props) {
  const drawn = lines(points, of, gaps);
  const end = Math.max(points.at(-1)?.t ?? 0, 1);
  const top = Math.max(...drawn.flatMap((l) => l.data.map((d) => d.y)), 0);
  return (
    <Container header={<Header variant="h3" description={unit}>{title}</Header>} fitHeight>
      <LineChart
        series={drawn.map((l) => ({ ...l, type: "line", valueFormatter: (y: number) => figure(y) + (unit ? ` ${unit}` : "") }))}
        xDomain={[0, end]}
        yDomain={[0, top > 0 ? top * 1.05 : 1]}
        xScaleType="linear"
        i18nStrings={{ xTickFormatter: (x: number) => (x === 0 ? "0" : took(x * 1000)), yTickFormatter: (y: number) => figure(y) }}
        detailPopoverSize="small"
        height={200}
        hideFilter
        ariaLabel={`${title}${unit ? `, ${unit}` : ""}, over time`}
        empty={
          <Box textAlign="center" color="inherit">
            {empty}
          </Box>
        }
      />
    </Container>
  );
}
