// What a stage returns is published.
return { client: client(), iteration: iteration(), temperature: chance.floating({ min: 18, max: 24, fixed: 1 }) }
