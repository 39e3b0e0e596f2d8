// Gifts as a game on Nakama books them: the runtime's WalletsUpdate, which moves both wallets and writes a ledger row for each
// in one transaction. There is no idempotency key and no platform account. The functions are Nakama's own, on its own schema.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/heroiclabs/nakama-common/runtime"
	"github.com/heroiclabs/nakama/v3/migrate"
	"github.com/heroiclabs/nakama/v3/server"
	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"
	"go.uber.org/zap"
)

// As gifts_load.cpp has them.
const (
	senders       = 256
	firstStreamer = 1000
	streamersMax  = 1000
	coins         = 1_000_000_000
)

func person(number int) string { return fmt.Sprintf("00000000-0000-7000-8000-%012x", number) }

func prepare(ctx context.Context, url string) error {
	connection, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	migrate.RunCmd(ctx, zap.NewNop(), connection, "up", 0, "json") // closes the connection
	db, err := sql.Open("pgx", url)
	if err != nil {
		return err
	}
	defer db.Close()
	add := func(number, wallet int) error {
		_, err := db.ExecContext(ctx, "INSERT INTO users (id, username, wallet) VALUES ($1, $2, $3)",
			person(number), fmt.Sprintf("person_%d", number), fmt.Sprintf(`{"coins": %d}`, wallet))
		return err
	}
	for n := range senders {
		if err := add(n, coins); err != nil {
			return err
		}
	}
	for n := firstStreamer; n < firstStreamer+streamersMax; n++ {
		if err := add(n, 0); err != nil {
			return err
		}
	}
	return nil
}

func give(ctx context.Context, nakama *server.RuntimeGoNakamaModule, sender, streamers int) error {
	streamer := firstStreamer + rand.IntN(streamers)
	_, err := nakama.WalletsUpdate(ctx, []*runtime.WalletUpdate{
		{UserID: person(sender), Changeset: map[string]int64{"coins": -100}},
		{UserID: person(streamer), Changeset: map[string]int64{"coins": 70}},
	}, true)
	return err
}

// How long each took that began within the time.
func load(nakama *server.RuntimeGoNakamaModule, waiting, streamers int, duration time.Duration) []time.Duration {
	var mutex sync.Mutex
	var all []time.Duration
	var group sync.WaitGroup
	until := time.Now().Add(duration)
	for sender := range waiting {
		group.Go(func() {
			var own []time.Duration
			for time.Now().Before(until) {
				begun := time.Now()
				if err := give(context.Background(), nakama, sender, streamers); err != nil {
					log.Fatal(err)
				}
				own = append(own, time.Since(begun))
			}
			mutex.Lock()
			all = append(all, own...)
			mutex.Unlock()
		})
	}
	group.Wait()
	return all
}

func main() {
	url := flag.String("url", "", "postgres://…")
	preparing := flag.Int("prepare", 0, "1: makes the schema and the people")
	waiting := flag.Int("senders", 32, "in flight")
	streamers := flag.Int("streamers", 1, "who get them")
	connections := flag.Int("connections", 64, "at most")
	seconds := flag.Int("seconds", 3, "")
	flag.Parse()
	if *preparing != 0 {
		if err := prepare(context.Background(), *url); err != nil {
			log.Fatal(err)
		}
		return
	}
	db, err := sql.Open("pgx", *url)
	if err != nil {
		log.Fatal(err)
	}
	db.SetMaxOpenConns(*connections)
	db.SetMaxIdleConns(*connections)
	logger := zap.NewNop()
	nakama := server.NewRuntimeGoNakamaModule(logger, db, nil, server.NewConfig(logger), nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil)
	load(nakama, *waiting, *streamers, 200*time.Millisecond)
	begun := time.Now()
	took := load(nakama, *waiting, *streamers, time.Duration(*seconds)*time.Second)
	elapsed := time.Since(begun).Seconds()
	slices.Sort(took)
	at := func(share float64) float64 { return took[int(float64(len(took)-1)*share)].Seconds() * 1000 }
	if err := json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"a_second": float64(len(took)) / elapsed, "p50_ms": at(0.5), "p99_ms": at(0.99),
	}); err != nil {
		log.Fatal(err)
	}
}
