// A go-libp2p peer with TCP, Noise and Yamux and nothing else, for the interop suite.
//
//	peer listen             prints its multiaddr and echoes every stream of the protocol
//	peer dial ADDR BYTES    sends BYTES of noise to ADDR, expects them back, prints "ok"
package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand"
	"os"
	"strconv"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
)

const protocol = "/seedmint/interop/echo/1"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	node, err := libp2p.New(
		libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"),
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
	)
	if err != nil {
		return err
	}
	defer node.Close()
	switch {
	case len(args) == 1 && args[0] == "listen":
		return listen(node)
	case len(args) == 3 && args[0] == "dial":
		return dial(node, args[1], args[2])
	}
	return fmt.Errorf("usage: peer listen | peer dial ADDR BYTES")
}

func listen(node host.Host) error {
	node.SetStreamHandler(protocol, func(stream network.Stream) {
		if _, err := io.Copy(stream, stream); err != nil {
			stream.Reset()
			return
		}
		stream.Close()
	})
	fmt.Printf("%s/p2p/%s\n", node.Addrs()[0], node.ID())
	_, err := io.Copy(io.Discard, os.Stdin) // until whoever started it closes the pipe
	return err
}

func dial(node host.Host, address string, sizeText string) error {
	size, err := strconv.ParseInt(sizeText, 10, 64)
	if err != nil {
		return err
	}
	info, err := peer.AddrInfoFromString(address)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := node.Connect(ctx, *info); err != nil {
		return err
	}
	stream, err := node.NewStream(ctx, info.ID, protocol)
	if err != nil {
		return err
	}
	defer stream.Close()
	sent := sha256.New()
	failed := make(chan error, 1)
	go func() {
		source := io.LimitReader(rand.New(rand.NewSource(1)), size)
		_, err := io.Copy(io.MultiWriter(stream, sent), source)
		if err == nil {
			err = stream.CloseWrite()
		}
		failed <- err
	}()
	received := sha256.New()
	count, err := io.Copy(received, stream)
	if err != nil {
		return err
	}
	if err := <-failed; err != nil {
		return err
	}
	if count != size || string(sent.Sum(nil)) != string(received.Sum(nil)) {
		return fmt.Errorf("sent %d bytes, got %d others back", size, count)
	}
	fmt.Println("ok")
	return nil
}
