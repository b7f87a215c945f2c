// Argo CD's API server as it is, with a Redis of its own: the cache that it can't start without lives
// in this process, so that a test starts and stops one thing.
package main

import (
	"log"
	"os"

	"github.com/alicebob/miniredis/v2"
	"github.com/argoproj/argo-cd/v3/cmd/argocd-server/commands"
)

func main() {
	cache := miniredis.NewMiniRedis()
	if err := cache.Start(); err != nil { // on loopback, at a port that the kernel chooses
		log.Fatalf("starting the cache: %v", err)
	}
	defer cache.Close()
	command := commands.NewCommand()
	command.SetArgs(append(os.Args[1:], "--redis", cache.Addr()))
	if err := command.Execute(); err != nil {
		log.Fatal(err)
	}
}
