// A timer in a worker: a page in the background has its own timers slowed down, and the music would stop.
setInterval(() => postMessage(0), 25);
