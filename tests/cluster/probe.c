/* The only program of the tests' pods: waits as the process of a container, and looks around in it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void stop(int signal) {
  (void)signal;
  _exit(0);
}

static void reap(int signal) {
  (void)signal;
  while (waitpid(-1, 0, WNOHANG) > 0) {
  }
}

static int copy(const char *path) {
  FILE *file = fopen(path, "r");
  if (!file) {
    perror(path);
    return 1;
  }
  for (int c = getc(file); c != EOF; c = getc(file)) putchar(c);
  fclose(file);
  return 0;
}

int main(int count, char **arguments) {
  if (count == 3 && !strcmp(arguments[1], "cat")) return copy(arguments[2]);
  if (count == 2 && !strcmp(arguments[1], "env")) {
    for (char **variable = environ; *variable; variable++) puts(*variable);
    return 0;
  }
  if (count == 2 && !strcmp(arguments[1], "exit")) return 0;
  /* A service that ends where it has no credential. */
  if (count == 3 && !strcmp(arguments[1], "need") && !getenv(arguments[2])) return 1;
  /* Anything else is what a workload was started with. */
  signal(SIGINT, stop);
  signal(SIGTERM, stop);
  signal(SIGCHLD, reap);
  for (;;) pause();
}
