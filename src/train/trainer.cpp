#include "seawall/train/trainer.hpp"

namespace seawall {

template TrainResult train<AnyStack>(Decoder&, BatchSource&, AnyStack&, const TrainOptions&,
                                     TraceSink&, const TrainContext&);
template TrainResult train<SubStack<AnyStack>>(Decoder&, BatchSource&, SubStack<AnyStack>&,
                                               const TrainOptions&, TraceSink&,
                                               const TrainContext&);

}  // namespace seawall
