// One topic on bun's WebSocket server (uWebSockets inside): /publish takes messages, everyone else hears them.
// Argument: the port.
const server = Bun.serve({
  hostname: '127.0.0.1',
  port: Number(process.argv[2]),
  fetch(request, server) {
    const publishes = new URL(request.url).pathname === '/publish';
    if (server.upgrade(request, { data: { publishes } })) return undefined;
    return new Response('a WebSocket only', { status: 400 });
  },
  websocket: {
    perMessageDeflate: false,
    open(socket) {
      if (!socket.data.publishes) socket.subscribe('topic');
    },
    message(socket, message) {
      server.publish('topic', message);
    },
  },
});
