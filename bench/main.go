// Command bench measures a built thingd beside what it is compared with and
// prints one table. Run it by `make bench`: it starts its own servers on free
// ports, in temporary directories, with durable storage.
//
// Figures of one run are comparable with each other, not with another
// machine's. Rates are the median of the rounds.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"time"
)

var (
	binary    = flag.String("thingd", "bin/thingd", "the binary to measure")
	rounds    = flag.Int("rounds", 3, "rounds of each measurement; the median is printed")
	duration  = flag.Duration("for", 3*time.Second, "length of a round")
	clients   = flag.Int("clients", 16, "concurrent clients")
	things    = flag.Int("things", 0, "compare the registry of so many things with that of a thousand, instead of all else")
	only      = flag.String("only", "", "for -things: those lines alone that have this text")
	fragments = flag.Int("fragments", 0, "list a stream's so many indexed fragments, instead of all else")
	database  = flag.String("database", "", "for -things: URLs of two empty PostgreSQL databases, with a comma between, of a server with autovacuum; for -fragments: one (SQLite)")
	media     = flag.String("video", "", "measure video instead of all else: uploads, cameras or all")
	cameras   = flag.Int("cameras", 500, "for -video: cameras of 1 Mbit/s that send at once")
	uploads   = flag.String("upload-server", "", "be the plain HTTP upload server that PutMedia is compared with, and write to this directory")
	shadowsOn = flag.String("shadows", "", "measure shadows instead of all else: on sqlite, or on the empty PostgreSQL database of a URL")
	devices   = flag.Int("devices", 10_000, "for shadows: devices that are connected and hear their deltas")
	mqttOn    = flag.String("mqtt", "", "measure MQTT over mutual TLS instead of all else: all, or scenarios with commas between: idle, connect, "+scenarioNames())
	connected = flag.Int("connections", 2000, "for -mqtt idle: clients that are connected")
	settle    = flag.Duration("settle", 10*time.Second, "for -mqtt idle: how long they have been silent when memory is read")
	mosquitto = flag.Bool("mosquitto", true, "for -mqtt: measure mosquitto beside it")
	beside    = flag.String("beside", "", "for -mqtt: another thingd binary to measure beside it")
	profiles  = flag.String("profiles", "", "a directory that gets profiles of thingd: for -mqtt of its processor time, by scenario, for -video of that, and of its memory with cameras")
	virtual   = flag.Int("fleet", 0, "measure thingd fleet with so many virtual devices, instead of all else")
	mqttx     = flag.String("mqttx", "", "for -fleet: MQTTX's command line (mqttx-cli), a program or its index.js, to measure beside it")
	baseline  = flag.Bool("handshake-server", false, "be the bare TLS server that credentials are compared with")
)

func main() {
	flag.Parse()
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	if *baseline {
		log.Fatal(serveHandshakes())
	}
	if *uploads != "" {
		log.Fatal(serveUploads(*uploads))
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

// row is a line of the table.
type row struct{ what, figure, beside, goal string }

func run() error {
	var rows []row
	add := func(r row, err error) error {
		if err == nil {
			rows = append(rows, r)
			fmt.Fprintf(os.Stderr, "%-44s %s\n", r.what, r.figure)
		}
		return err
	}
	if *fragments > 0 {
		rows, err := index()
		if err == nil {
			table(rows)
		}
		return err
	}
	if *mqttOn != "" {
		return messages(*mqttOn)
	}
	if *virtual > 0 {
		rows, err := simulator(*virtual)
		if err == nil {
			table(rows)
		}
		return err
	}
	if *things > 0 {
		rows, err := scale()
		if err == nil {
			table(rows)
		}
		return err
	}
	if *media != "" {
		rows, err := video(*media)
		if err == nil {
			table(rows)
		}
		return err
	}
	if *shadowsOn != "" {
		if err := add(shadows(*shadowsOn)); err != nil {
			return err
		}
		table(rows)
		return nil
	}
	if err := add(startup()); err != nil {
		return err
	}
	if err := add(shadows("sqlite")); err != nil {
		return err
	}
	srv, err := start()
	if err != nil {
		return err
	}
	defer srv.stop()
	for _, measure := range []func(*server) (row, error){idleMemory, idleCPU, decisions, signature, authorized, assumeRole, describeThing, createThing, credentials, createKeys, createFromCSR} {
		if err := add(measure(srv)); err != nil {
			return err
		}
	}
	table(rows)
	return nil
}

func table(rows []row) {
	wide := 44
	for _, r := range rows {
		wide = max(wide, len(r.what))
	}
	fmt.Printf("\n%-*s %-22s %-34s %s\n", wide, "what", "thingd", "beside it", "goal")
	for _, r := range rows {
		fmt.Printf("%-*s %-22s %-34s %s\n", wide, r.what, r.figure, r.beside, r.goal)
	}
}

// median runs measure for each round.
func median(measure func() (float64, error)) (float64, error) {
	var all []float64
	for range *rounds {
		v, err := measure()
		if err != nil {
			return 0, err
		}
		all = append(all, v)
	}
	slices.SortFunc(all, cmp.Compare)
	return all[len(all)/2], nil
}
