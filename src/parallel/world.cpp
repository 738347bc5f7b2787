#include "seawall/parallel/world.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include "parallel/meeting.hpp"
#include "parallel/mesh.hpp"

namespace seawall {

struct World::Group {
  c10::intrusive_ptr<detail::Mesh> mesh;
};

World::World(Launch launch, std::unique_ptr<Group> group)
    : launch_(std::move(launch)), group_(std::move(group)) {}

World::~World() = default;

std::unique_ptr<World> World::join(const Launch& launch) {
  auto group = std::make_unique<Group>();
  group->mesh = c10::make_intrusive<detail::Mesh>(launch.rank, detail::meet(launch),
                                                  std::chrono::seconds(launch.patience));
  return std::unique_ptr<World>(new World(launch, std::move(group)));
}

void World::check() const { group_->mesh->watch().check(); }

void World::exchange(std::vector<Tensor>& from, std::vector<Tensor>& to) {
  group_->mesh->alltoall(from, to)->wait();
}

std::vector<std::vector<double>> World::gather(const std::vector<double>& mine) {
  const auto ranks = static_cast<std::size_t>(size());
  auto count = static_cast<std::int64_t>(mine.size());
  std::vector<std::int64_t> counts(ranks);
  std::vector<Tensor> to, from;
  for (std::size_t r = 0; r < ranks; ++r) {
    to.push_back(at::from_blob(&count, {1}, at::kLong));
    from.push_back(at::from_blob(&counts[r], {1}, at::kLong));
  }
  exchange(from, to);
  std::vector<std::vector<double>> all;
  for (std::size_t r = 0; r < ranks; ++r) all.emplace_back(static_cast<std::size_t>(counts[r]));
  for (std::size_t r = 0; r < ranks; ++r) {
    to[r] = at::from_blob(const_cast<double*>(mine.data()), {count}, at::kDouble);
    from[r] = at::from_blob(all[r].data(), {counts[r]}, at::kDouble);
  }
  exchange(from, to);
  return all;
}

}  // namespace seawall
