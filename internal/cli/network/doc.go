// Package network has the commands that look at the network: dht, announce, scrape, tracker and lab.
package network
