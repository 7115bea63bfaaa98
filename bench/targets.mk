.PHONY: bench
bench: setup ## Measure start-up, memory and calls per second against other wrappers (about 5 minutes)
	$(BIN)/python bench/figures.py $(BENCH_ARGS)

.PHONY: bench-data-path
bench-data-path: setup ## Measure only calls per second and latency
	$(BIN)/python bench/data_path.py $(BENCH_ARGS)
