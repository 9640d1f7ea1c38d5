"""The demonstration behind ``make demo``: real airports, two real weather stations, one real year of temperatures."""
