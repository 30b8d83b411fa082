package sandbox

import "syscall"

// mapNoReserve keeps the system from counting what a guest may take as taken.
const mapNoReserve = syscall.MAP_NORESERVE
