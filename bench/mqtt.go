package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
)

// scenario is a load of MQTT messages. Each client has a certificate of its own,
// and each message is held against the access rules of who sends and who gets it.
type scenario struct {
	name    string
	pubs    int
	subs    int
	shape   shape
	qos     byte
	window  int     // messages that a publisher has on the way until they are delivered and acknowledged
	rate    float64 // messages a second of all publishers, whatever becomes of them; 0: as the window allows
	durable bool    // the subscribers' sessions are persistent
}

// shape is who gets whose messages.
type shape int

const (
	fanIn  shape = iota // one subscriber gets all
	fanOut              // all subscribers get those of one publisher
	pairs               // each publisher has a subscriber of its own
)

var scenarios = []scenario{
	{name: "fan-in-q0", shape: fanIn, pubs: 100, subs: 1, window: 16},
	{name: "fan-in-q1", shape: fanIn, pubs: 100, subs: 1, qos: 1, window: 16},
	{name: "fan-in-q1-10k", shape: fanIn, pubs: 100, subs: 1, qos: 1, rate: 10_000},
	{name: "fan-out-q0", shape: fanOut, pubs: 1, subs: 1000, window: 4},
	{name: "fan-out-q1", shape: fanOut, pubs: 1, subs: 1000, qos: 1, window: 4},
	{name: "pairs-q0", shape: pairs, pubs: 500, subs: 500, window: 4},
	{name: "pairs-q1", shape: pairs, pubs: 500, subs: 500, qos: 1, window: 4},
	{name: "durable-fan-in-q1", shape: fanIn, pubs: 100, subs: 1, qos: 1, window: 16, durable: true},
	{name: "durable-pairs-q1", shape: pairs, pubs: 500, subs: 500, qos: 1, window: 4, durable: true},
}

func scenarioNames() string {
	var names []string
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	return strings.Join(names, ", ")
}

// figures are what one round of a scenario gives.
type figures struct {
	rate   float64 // messages delivered a second
	cpu    float64 // of the broker: seconds for a million of them, or milliseconds a connection
	p99    float64 // ms; with a rate only
	kib    float64 // of memory for each connection
	more   float64 // the same, for each further one
	others float64 // seconds that neither broker nor load has had, of each second
}

// messages measures MQTT on thingd and on its peers, in turn.
func messages(which string) error {
	wanted := func(name string) bool {
		return which == "all" || slices.Contains(strings.Split(which, ","), name)
	}
	own, err := newIdentities(max(*connected, 1001))
	if err != nil {
		return err
	}
	defer own.remove()
	brokers, err := startBrokers(own)
	defer func() {
		for _, b := range brokers {
			b.stop()
		}
	}()
	if err != nil {
		return err
	}
	fmt.Printf("%-18s %-10s %12s %14s %10s %10s %10s %12s\n", "scenario", "broker", "delivered/s", "CPU s/million", "p99 ms", "KiB/conn.", "each more", "others' CPU")
	show := func(name string, measure func(*peer) (figures, error)) error {
		all := map[*peer][]figures{}
		for range *rounds {
			for _, b := range brokers {
				f, err := measure(b)
				if err != nil {
					return fmt.Errorf("%s on %s: %w", name, b.name, err)
				}
				all[b] = append(all[b], f)
				fmt.Fprintf(os.Stderr, "%s %s %+v\n", name, b.name, f)
			}
		}
		for _, b := range brokers {
			mid := func(of func(figures) float64) float64 {
				v := make([]float64, 0, *rounds)
				for _, f := range all[b] {
					v = append(v, of(f))
				}
				slices.SortFunc(v, cmp.Compare)
				return v[len(v)/2]
			}
			text := func(format string, v float64) string {
				if v == 0 {
					return ""
				}
				return fmt.Sprintf(format, v)
			}
			fmt.Printf("%-18s %-10s %12s %14s %10s %10s %10s %12s\n", name, b.name,
				text("%.0f", mid(func(f figures) float64 { return f.rate })), text("%.2f", mid(func(f figures) float64 { return f.cpu })),
				text("%.1f", mid(func(f figures) float64 { return f.p99 })), text("%.1f", mid(func(f figures) float64 { return f.kib })),
				text("%.1f", mid(func(f figures) float64 { return f.more })), text("%.2f", mid(func(f figures) float64 { return f.others })))
		}
		return nil
	}
	if wanted("idle") {
		err := show("idle", func(b *peer) (figures, error) { return idleConnections(b, own) })
		if err != nil {
			return err
		}
	}
	for _, b := range brokers {
		if err := b.rest(); err != nil {
			return err
		}
	}
	if wanted("connect") {
		err := show("connect", func(b *peer) (figures, error) { return connects(b, own) })
		if err != nil {
			return err
		}
	}
	for _, s := range scenarios {
		if !wanted(s.name) {
			continue
		}
		if s.durable { // mosquitto has nothing like it: it writes its store every half an hour
			all := brokers
			brokers = slices.DeleteFunc(slices.Clone(all), func(b *peer) bool { return b.ops == "" })
			err := show(s.name, func(b *peer) (figures, error) { return s.measure(b, own) })
			if brokers = all; err != nil {
				return err
			}
			continue
		}
		if err := show(s.name, func(b *peer) (figures, error) { return s.measure(b, own) }); err != nil {
			return err
		}
	}
	return nil
}
