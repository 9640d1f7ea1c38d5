"""HTTP: reads a request, makes a command, hands it over, prints the answer; and nothing else.

| file | holds |
|---|---|
| ``app`` | the one handler: authenticates, finds the route, and turns whatever went wrong into an answer |
| ``routes`` | what a row of the routing table is, and the walk through the rows |
| ``things``, ``many``, ``whoami``, ``operations`` | the rows and their actions |
| ``exchange``, ``urls``, ``headers``, ``bodies``, ``expectations`` | reading a request |
| ``answers``, ``refusals``, ``acks`` | printing an answer |
| ``transport``, ``server`` | sockets: what aiohttp does below us, starting and stopping |
"""
